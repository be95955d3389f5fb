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

---@param verb string a key of lacuna.Keys
---@param key string
---@param applies fun(): boolean
local function map(verb, key, applies)
  local kept = keep(verb, key)
  vim.keymap.set('i', key, function()
    return applies() and ('<Cmd>lua require("lacuna").%s()<CR>'):format(verb) or kept
  end, { expr = true, remap = true, silent = true, desc = 'Lacuna: ' .. verb:gsub('_', ' ') })
end

--- Take the keys of the configuration, and no others.
---@param keys lacuna.Keys
---@param visible fun(): boolean a suggestion is shown
---@param asks fun(): boolean one could be asked for here
function M.take(keys, visible, asks)
  for verb, key in pairs(keys) do
    map(verb, key, verb == 'next' and asks or visible)
  end
end

return M
