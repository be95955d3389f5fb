--- Insert-mode keys: each does its verb while a suggestion is shown, and otherwise what it did
--- before.

local M = {}

--- A key that became Lacuna's.
---@class lacuna.Taken
---@field key string
---@field run fun() what it is mapped to now
---@field before? table<string, any> its mapping before, as maparg() has it

local taken = {} ---@type lacuna.Taken[]

---@param key string
---@return table<string, any>? mapping, also where a mapping of the buffer hides it
local function global_mapping(key)
  local mapping = vim.fn.maparg(key, 'i', false, true)
  if mapping.buffer == 1 then
    return vim.iter(vim.api.nvim_get_keymap('i')):find(function(global)
      return global.lhsraw == mapping.lhsraw
    end)
  end
  return not vim.tbl_isempty(mapping) and mapping or nil
end

--- Keep a mapping under a name of its own. Never one that was used before: who has wrapped a
--- mapping of ours may still come to what it kept.
---@param mapping table<string, any>
---@return string name
local function keep(mapping)
  local name, number = '', 0
  repeat
    number = number + 1
    name = ('<Plug>(lacuna-before-%d)'):format(number)
  until vim.fn.maparg(name, 'i') == ''
  local copy = vim.tbl_extend('force', mapping, { lhs = name, lhsraw = vim.keycode(name) })
  copy.lhsrawalt = nil
  vim.fn.mapset('i', false, copy)
  return name
end

local NAMESPACE = vim.api.nvim_create_namespace('lacuna.keys')

-- The keys whose mappings from before have just begun to run: what comes next is their first key.
local begun = {} ---@type table<string, true>

--- The mapping that a key had begins to run. It may yield the key itself: of that Neovim maps the
--- first one not again, but it does now that the mapping is kept under another name.
---@param key string
local function begin(key)
  begun[key] = true
  local first = true
  vim.on_key(function(_, typed)
    if typed ~= '' or not first then -- it yielded nothing, or this is its second
      begun = {}
      vim.on_key(nil, NAMESPACE)
    end
    first = false
  end, NAMESPACE)
end

--- Do what the key did before it became Lacuna's.
---@param keys string the key, or the name its mapping is kept under
---@param mapped boolean
local function replay(keys, mapped)
  local flags = mapped and 'im' or 'in'
  -- As if typed, or <M-x> would not be <Esc>x; but a macro being recorded would then hold it twice.
  local typed = vim.fn.reg_recording() == '' and not mapped
  vim.api.nvim_feedkeys(vim.keycode(keys), flags .. (typed and 't' or ''), false)
end

--- Not an <expr> mapping: Neovim evaluates those ahead of their time, before the key typed just
--- before is in the buffer.
---@param verb string
---@param key string
---@param act fun(): boolean
local function map(verb, key, act)
  local before = global_mapping(key)
  local keys = before and keep(before) or key
  local function run()
    if begun[key] then
      replay(key, false)
    elseif not act() then
      if before and before.noremap == 0 then
        begin(key)
      end
      replay(keys, before ~= nil)
    end
  end
  table.insert(taken, { key = key, run = run, before = before })
  vim.keymap.set('i', key, run, { desc = 'Lacuna: ' .. verb:gsub('_', ' ') })
end

--- Put back what a key was mapped to, unless another has mapped it since.
---@param one lacuna.Taken
local function give_back(one)
  local now = global_mapping(one.key)
  if not now or now.callback ~= one.run then
    return
  end
  vim.keymap.del('i', one.key)
  if one.before then
    vim.fn.mapset('i', false, one.before)
  end
end

--- Take the keys of the configuration, and no others: those taken before are given back.
---@param keys lacuna.Keys
---@param verbs table<string, fun(): boolean> what each does; false when there was nothing to do
function M.take(keys, verbs)
  while #taken > 0 do
    give_back(table.remove(taken))
  end
  for verb, key in pairs(keys) do
    map(verb, key, verbs[verb])
  end
end

return M
