--- Fills a range of lines anew, from what stands around them.

local client = require('lacuna.client')
local notice = require('lacuna.notice')
local why = require('lacuna.why')

local M = {}

--- Reply to lacuna/fillLines.
---@class lacuna.Filled
---@field version integer
---@field edits lsp.TextEdit[]
---@field text string
---@field reason? string
---@field detail? string

---@param buf integer
---@return string
local function text_of(buf)
  return table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n')
end

---@param buf integer
---@param filled lacuna.Filled
---@param encoding 'utf-8'|'utf-16'|'utf-32'
local function apply(buf, filled, encoding)
  if filled.reason and filled.reason ~= vim.NIL then
    return notice.warn(('not filled: %s (%s)'):format(filled.detail, filled.reason))
  elseif #filled.edits == 0 then
    return notice.info('the lines stay as they are.')
  end
  vim.lsp.util.apply_text_edits(filled.edits, buf, encoding)
  notice.info('filled; u takes it back.')
end

--- Replace lines of the current buffer by what the model would write there; one undo step, and
--- nothing when the text has changed meanwhile.
---@param first integer 1-based
---@param last integer 1-based, inclusive
function M.lines(first, last)
  local buf = vim.api.nvim_get_current_buf()
  local unreachable = why.unreachable(buf)
  if unreachable then
    return notice.warn(('not filled: %s'):format(unreachable.detail))
  end
  local lsp = assert(client.of(buf))
  local text = text_of(buf) -- not b:changedtick, which saving changes too
  local params = {
    textDocument = {
      uri = vim.uri_from_bufnr(buf),
      version = vim.lsp.util.buf_versions[buf],
    },
    startLine = first - 1,
    endLine = last - 1,
  }
  lsp:request('lacuna/fillLines', params, function(err, filled)
    if err then
      notice.error(('not filled: %s'):format(err.message))
    elseif not vim.api.nvim_buf_is_valid(buf) or text_of(buf) ~= text then
      notice.warn('not filled: the text has changed meanwhile; try again.')
    else
      apply(buf, filled, lsp.offset_encoding)
    end
  end, buf)
end

return M
