--- Draws what is left of a suggestion, with extmarks only.

local candidate = require('lacuna.candidate')

local M = {}

local NAMESPACE = vim.api.nvim_create_namespace('lacuna')

---@class lacuna.Place
---@field buf integer
---@field row integer 0-based
---@field col integer byte column of the cursor

--- Define the highlight groups, unless a colour scheme has.
function M.highlights()
  local hint = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'Comment'
  local count = vim.fn.hlexists('ComplHintMore') == 1 and 'ComplHintMore' or 'NonText'
  vim.api.nvim_set_hl(0, 'LacunaGhost', { link = hint, default = true })
  vim.api.nvim_set_hl(0, 'LacunaCount', { link = count, default = true })
end

---@param buf integer
function M.clear(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, NAMESPACE, 0, -1)
  end
end

--- `text` as it looks when it starts at display column `column`: virtual text shows a tab as ^I, so
--- tabs become blanks.
---@param text string
---@param column integer
---@param tabstop integer
---@return string
local function without_tabs(text, column, tabstop)
  local parts = {} ---@type string[]
  for i, part in ipairs(vim.split(text, '\t', { plain = true })) do
    if i > 1 then
      local blanks = tabstop - column % tabstop
      table.insert(parts, (' '):rep(blanks))
      column = column + blanks
    end
    table.insert(parts, part)
    column = column + vim.api.nvim_strwidth(part)
  end
  return table.concat(parts)
end

---@param place lacuna.Place
---@return integer column, integer tabstop
local function display(place)
  local before = vim.api.nvim_buf_get_text(place.buf, place.row, 0, place.row, place.col, {})[1]
  return vim.fn.strdisplaywidth(before), vim.bo[place.buf].tabstop
end

---@param place lacuna.Place
---@param col integer byte column
---@param mark vim.api.keyset.set_extmark
local function put(place, col, mark)
  mark.hl_mode = 'combine'
  vim.api.nvim_buf_set_extmark(place.buf, NAMESPACE, place.row, col, mark)
end

--- One line, woven around the text it replaces: `|)` and "x, y)" show "x, y" before the bracket.
---@param place lacuna.Place
---@param fit lacuna.Fit
---@param positions integer[] where the replaced bytes stand in the rest
---@param count string
local function draw_woven(place, fit, positions, count)
  local column, tabstop = display(place)
  local from = 1
  for i = 1, #positions + 1 do
    local piece = fit.rest:sub(from, (positions[i] or #fit.rest + 1) - 1)
    from = (positions[i] or 0) + 1
    local chunks = { { without_tabs(piece, column, tabstop), 'LacunaGhost' } }
    if i > #positions and count ~= '' then
      table.insert(chunks, { count, 'LacunaCount' })
    end
    if piece ~= '' or #chunks > 1 then
      put(place, place.col + i - 1, { virt_text = chunks, virt_text_pos = 'inline' })
    end
  end
end

---@param lines string[] the second line and on
---@param tabstop integer
---@param count string
---@param moved string the text that will follow the last line
---@return [string, string][][]
local function lines_below(lines, tabstop, count, moved)
  local below = {} ---@type [string, string][][]
  for i, line in ipairs(lines) do
    below[i] = { { without_tabs(line, 0, tabstop), 'LacunaGhost' } }
  end
  if #below > 0 and moved ~= '' then
    table.insert(below[#below], { moved, 'Normal' })
  end
  if #below > 0 and count ~= '' then
    table.insert(below[#below], { count, 'LacunaCount' })
  end
  return below
end

--- Whole lines, over whatever follows the cursor: what the line will look like stands in its place,
--- and text that will move below the suggestion is shown there.
---@param place lacuna.Place
---@param fit lacuna.Fit
---@param count string
local function draw_lines(place, fit, count)
  local column, tabstop = display(place)
  local lines = vim.split(fit.rest, '\n', { plain = true })
  local first = table.remove(lines, 1) ---@type string
  local kept = fit.after:sub(fit.replaced + 1)
  local chunks = { { without_tabs(first, column, tabstop), 'LacunaGhost' } }
  if #lines == 0 then
    vim.list_extend(chunks, { { kept, 'Normal' }, { count, 'LacunaCount' } })
  end
  local covered = vim.fn.strdisplaywidth(fit.after, column)
  local drawn = vim.api.nvim_strwidth(chunks[1][1] .. (#lines == 0 and kept .. count or ''))
  table.insert(chunks, { (' '):rep(covered - drawn), 'Normal' })
  put(place, place.col, {
    virt_text = chunks,
    virt_text_pos = covered > 0 and 'overlay' or 'inline',
    virt_lines = #lines > 0 and lines_below(lines, tabstop, count, kept) or nil,
  })
end

--- Draw what is left of a suggestion; replaces what was drawn in this buffer.
---@param place lacuna.Place
---@param fit lacuna.Fit
---@param count? string such as " (2/3)", shown after it
function M.draw(place, fit, count)
  M.clear(place.buf)
  local positions = candidate.positions(fit.rest, fit.after:sub(1, fit.replaced))
  if positions and not fit.rest:find('\n', 1, true) then
    draw_woven(place, fit, positions, count or '')
  else
    draw_lines(place, fit, count or '')
  end
end

return M
