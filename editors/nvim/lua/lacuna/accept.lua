--- Puts the suggestion, or its next word or line, into the buffer: one undo step of its own, the
--- server told.

local candidate = require('lacuna.candidate')
local client = require('lacuna.client')
local request = require('lacuna.request')
local suggestion = require('lacuna.suggestion')

local M = {}

---@alias lacuna.Piece 'whole'|'word'|'line'

---@param rest string
---@return string
local function next_word(rest)
  local blank = rest:match('^%s*')
  local from = #blank + 1
  -- Bytes of 128 and more belong to letters beyond ASCII, and are never cut apart.
  return blank
    .. (rest:match('^[%w_\128-\255]+', from) or rest:match('^[^%w_\128-\255%s]+', from) or '')
end

---@param rest string
---@param piece lacuna.Piece
---@return string
function M.cut(rest, piece)
  if piece == 'word' then
    return next_word(rest)
  elseif piece == 'line' then
    return rest:match('^\n*[^\n]*') --[[@as string]]
  end
  return rest
end

--- How many bytes after the cursor go when `text` comes: all that the suggestion replaces for its
--- end, for a piece of it those that are drawn within the piece.
---@param text string
---@param fit lacuna.Fit
---@return integer
local function replaced_by(text, fit)
  if text == fit.rest then
    return fit.replaced
  end
  local taken = 0
  for _, at in ipairs(candidate.positions(fit.rest, fit.after:sub(1, fit.replaced)) or {}) do
    taken = taken + (at <= #text and 1 or 0)
  end
  return taken
end

--- Everything that follows is an undo step of its own.
local function break_undo()
  vim.bo.undolevels = vim.bo.undolevels
end

---@param text string
---@param replaced integer bytes after the cursor
local function insert(text, replaced)
  local moment = request.moment()
  local lines = vim.split(text, '\n', { plain = true })
  local row, col, buf = moment.row, moment.col, moment.buf
  break_undo()
  vim.api.nvim_buf_set_text(buf, row, col, row, col + replaced, lines)
  local last_col = #lines == 1 and col + #text or #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines, last_col })
  break_undo()
end

---@param text string
---@param line_end string of the server
---@return integer length on the server, in units of the position encoding
local function length(text, line_end)
  local lsp = client.get()
  local sent = text:gsub('\n', line_end)
  return vim.str_utfindex(sent, lsp and lsp.offset_encoding or 'utf-8')
end

--- Put a piece of the suggestion into the buffer. False when none is shown that fits the buffer as
--- it is now; but while the one that follows a suggestion is on its way, a key that comes early is
--- meant for that, and is no other key.
---@param piece lacuna.Piece
---@return boolean
function M.accept(piece)
  local fit, current = suggestion.fit(), suggestion.current()
  if not fit or not current then
    return suggestion.follows()
  end
  local text = M.cut(fit.rest, piece)
  local whole = text == fit.rest
  insert(text, replaced_by(text, fit))
  if whole then
    suggestion.taken()
    suggestion.report('lacuna/accepted', { id = current.id })
  else
    local accepted = length(fit.typed .. text, current.line_end)
    suggestion.report('lacuna/partiallyAccepted', { id = current.id, acceptedLength = accepted })
    suggestion.redraw()
  end
  return true
end

return M
