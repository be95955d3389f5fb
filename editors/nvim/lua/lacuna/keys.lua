--- Insert-mode keys: each does its verb while a suggestion is shown, and otherwise what it did
--- before.

local M = {}

--- What a key did before it became Lacuna's: a mapping of ours that holds what was mapped, or the
--- key itself.
---@class lacuna.Before
---@field keys string
---@field mapped boolean

---@param verb string
---@param key string
---@return lacuna.Before
local function before(verb, key)
  local kept = ('<Plug>(lacuna-before-%s)'):format(verb)
  local mapping = vim.fn.maparg(key, 'i', false, true)
  if vim.startswith(mapping.desc or '', 'Lacuna:') then -- setup() was called before
    local mapped = vim.fn.maparg(kept, 'i') ~= ''
    return { keys = mapped and kept or key, mapped = mapped }
  elseif vim.tbl_isempty(mapping) or mapping.buffer == 1 then
    return { keys = key, mapped = false }
  end
  mapping.lhs, mapping.lhsraw, mapping.lhsrawalt = kept, vim.keycode(kept), nil
  vim.fn.mapset('i', false, mapping)
  return { keys = kept, mapped = true }
end

---@param what lacuna.Before
local function replay(what)
  local flags = what.mapped and 'im' or 'in'
  -- As if typed, or <M-x> would not be <Esc>x; but a macro being recorded would then hold it twice.
  local typed = vim.fn.reg_recording() == '' and not what.mapped
  vim.api.nvim_feedkeys(vim.keycode(what.keys), flags .. (typed and 't' or ''), false)
end

--- Not an <expr> mapping: Neovim evaluates those ahead of their time, before the key typed just
--- before is in the buffer.
---@param verb string
---@param key string
---@param run fun(): boolean
local function map(verb, key, run)
  local what = before(verb, key)
  vim.keymap.set('i', key, function()
    if not run() then
      replay(what)
    end
  end, { desc = 'Lacuna: ' .. verb:gsub('_', ' ') })
end

--- Take the keys of the configuration, and no others.
---@param keys lacuna.Keys
---@param verbs table<string, fun(): boolean> what each does; false when there was nothing to do
function M.take(keys, verbs)
  for verb, key in pairs(keys) do
    map(verb, key, verbs[verb])
  end
end

return M
