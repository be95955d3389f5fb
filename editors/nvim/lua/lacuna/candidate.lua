--- A suggested text and the place it belongs to; pure data, and whether it still fits what is in
--- the buffer.

local M = {}

---@class lacuna.Candidate
---@field id? string the server's name for it
---@field text string its lines end in \n, as those of a buffer do
---@field line_end string what they end in on the server
---@field row integer 0-based line where its range starts
---@field col integer byte column where its range starts
---@field replaced integer bytes after the cursor that it replaces
---@field tail string text from the cursor to the end of its line when it was made

--- What is left of a candidate at a cursor.
---@class lacuna.Fit
---@field typed string its beginning that stands before the cursor
---@field rest string what is still to come
---@field replaced integer bytes after the cursor that the rest replaces
---@field after string text from the cursor to the end of its line

--- The byte positions in `text` of the characters of `chars`, in this order, the latest possible;
--- nil when not all are there.
---@param text string
---@param chars string bytes
---@return integer[]?
function M.positions(text, chars)
  local found = {} ---@type integer[]
  local before = #text
  for i = #chars, 1, -1 do
    while before > 0 and text:byte(before) ~= chars:byte(i) do
      before = before - 1
    end
    if before == 0 then
      return nil
    end
    found[i] = before
    before = before - 1
  end
  return found
end

--- How many bytes after the cursor the rest replaces, now that `after` follows the cursor; nil when
--- it no longer fits. Plugins that pair brackets put a closing one there while the user types, and
--- step over it later.
---@param candidate lacuna.Candidate
---@param after string
---@param rest string
---@return integer?
local function replaced_now(candidate, after, rest)
  local tail, replaced = candidate.tail, candidate.replaced
  if after == tail then
    return replaced
  end
  local grown = #after - #tail
  if grown > 0 and vim.endswith(after, tail) then
    local pairs_added = after:sub(1, grown)
    local closes = pairs_added:match('^[%)%]}>"\'`]+$') ~= nil
    if closes and M.positions(rest, after:sub(1, grown + replaced)) then
      return grown + replaced
    end
  elseif grown < 0 and -grown <= replaced and tail:sub(1 - grown) == after then
    return replaced + grown
  end
end

---@param buf integer
---@param row integer 0-based
---@return string
local function line_at(buf, row)
  return vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
end

--- What is left of `candidate` at a cursor; nil when the buffer no longer leads to it or nothing is
--- left.
---@param candidate lacuna.Candidate
---@param buf integer
---@param row integer 0-based
---@param col integer byte column
---@return lacuna.Fit?
function M.fit(candidate, buf, row, col)
  if row < candidate.row or (row == candidate.row and col < candidate.col) then
    return nil
  end
  local ok, lines =
    pcall(vim.api.nvim_buf_get_text, buf, candidate.row, candidate.col, row, col, {})
  local typed = ok and table.concat(lines, '\n') or nil
  if not typed or not vim.startswith(candidate.text, typed) then
    return nil
  end
  local rest = candidate.text:sub(#typed + 1)
  local after = line_at(buf, row):sub(col + 1)
  local replaced = replaced_now(candidate, after, rest)
  if not replaced or rest == after:sub(1, replaced) then
    return nil
  end
  return { typed = typed, rest = rest, replaced = replaced, after = after }
end

--- The candidate an item of the server's reply stands for, at the cursor it was asked for; nil when
--- it is none that can be shown there.
---@param item lsp.InlineCompletionItem
---@param buf integer
---@param row integer 0-based
---@param col integer byte column
---@param encoding 'utf-8'|'utf-16'|'utf-32' position encoding of the client
---@return lacuna.Candidate?
function M.from_item(item, buf, row, col, encoding)
  local text = item.insertText
  if type(text) ~= 'string' then
    return nil -- a snippet, which this server never sends
  end
  local line = line_at(buf, row)
  local first, last = col, col
  if item.range then
    if item.range.start.line ~= row or item.range['end'].line ~= row then
      return nil
    end
    first = vim.str_byteindex(line, encoding, item.range.start.character, false)
    last = vim.str_byteindex(line, encoding, item.range['end'].character, false)
  end
  if first > col or last < col then
    return nil
  end
  local arguments = item.command and item.command.arguments or {}
  return {
    id = arguments[1],
    text = text:gsub('\r\n?', '\n'),
    line_end = text:match('\r\n?') or '\n',
    row = row,
    col = first,
    replaced = last - col,
    tail = line:sub(col + 1),
  }
end

return M
