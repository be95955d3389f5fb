--- Insert-mode keys: each does its verb while a suggestion is shown, and otherwise what it did before.

local M = {}

--- Name of a mapping that does what `key` did before it became Lacuna's.
---@param verb string
---@param key string
---@return string
local function keep(verb, key)
  local kept = ('<Plug>(lacuna-before-%s)'):format(verb)
  local before = vim.fn.maparg(key, 'i', false, true)
  if before.desc and vim.startswith(before.desc, 'Lacuna:') then
    return kept -- setup() was called before
  elseif vim.tbl_isempty(before) or before.buffer == 1 then
    vim.keymap.set('i', kept, key)
  else
    before.lhs, before.lhsraw, before.lhsrawalt = kept, vim.keycode(kept), nil
    vim.fn.mapset('i', false, before)
  end
  return kept
end

--- Not an <expr> mapping: Neovim evaluates those ahead of its time, before the key typed just before is in the buffer.
---@param verb string
---@param key string
---@param run fun(): boolean
local function map(verb, key, run)
  local kept = vim.keycode(keep(verb, key))
  vim.keymap.set('i', key, function()
    if not run() then
      vim.api.nvim_feedkeys(kept, 'im', false)
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
