--- The suggestion on the screen: asked for as the user types, kept while they type along, cleared
--- when it no longer fits.

local ahead = require('lacuna.ahead')
local candidate = require('lacuna.candidate')
local client = require('lacuna.client')
local config = require('lacuna.config')
local ghost = require('lacuna.ghost')
local request = require('lacuna.request')

local M = {}

---@class lacuna.Shown
---@field buf integer
---@field candidates lacuna.Candidate[]
---@field index integer 1-based
---@field invoked boolean asked for by a key: the count is drawn
---@field reported table<string, true> ids the server has been told were shown

local shown ---@type lacuna.Shown?
local following ---@type lacuna.Moment? when what follows a suggestion was asked for

--- How the buffer was when last looked at, to tell a key from a movement, and a deletion from
--- typing.
---@type { moment?: lacuna.Moment, bytes: integer }
local last = { bytes = 0 }

---@return lacuna.Candidate?
function M.current()
  return shown and shown.candidates[shown.index]
end

---@param one lacuna.Candidate
---@return lacuna.Fit? what is left of it at the cursor; nil when it does not fit
local function fit_here(one)
  local moment = request.moment()
  return candidate.fit(one, moment.buf, moment.row, moment.col)
end

--- What is left of the shown suggestion at the cursor; nil when nothing is shown or it does not
--- fit.
---@return lacuna.Fit?
function M.fit()
  local current = M.current()
  local here = shown and shown.buf == vim.api.nvim_get_current_buf() and request.inserting()
  if not current or not here then
    return nil
  end
  return fit_here(current)
end

--- A suggestion is shown at the cursor.
---@return boolean
function M.visible()
  return M.fit() ~= nil
end

--- The server could be asked at the cursor.
---@return boolean
function M.possible()
  return request.inserting() and client.of(vim.api.nvim_get_current_buf()) ~= nil
end

--- Tell the server what became of a suggestion.
---@param method string
---@param params table
function M.report(method, params)
  local lsp = client.get()
  if lsp and params.id then
    lsp:notify(method, params)
  end
end

---@param what lacuna.Shown
---@return integer[] indices of the candidates that fit at the cursor
local function fitting(what)
  local found = {} ---@type integer[]
  for i, one in ipairs(what.candidates) do
    if fit_here(one) then
      table.insert(found, i)
    end
  end
  return found
end

--- The place of the shown candidate among those that fit, and how many they are.
---@param what lacuna.Shown
---@return string
local function count(what)
  local indices = what.invoked and fitting(what) or {}
  for place, index in ipairs(indices) do
    if index == what.index and #indices > 1 then
      return (' (%d/%d)'):format(place, #indices)
    end
  end
  return ''
end

--- Take the suggestion away.
function M.clear()
  if shown then
    ghost.clear(shown.buf)
    shown = nil
  end
end

--- Draw what is left of the suggestion, or clear it when it no longer fits.
---@return boolean drawn
function M.redraw()
  local fit, current = M.fit(), M.current()
  if not shown or not current or not fit or vim.fn.pumvisible() == 1 then
    M.clear()
    return false
  end
  local moment = request.moment()
  ghost.draw({ buf = moment.buf, row = moment.row, col = moment.col }, fit, count(shown))
  local id = current.id
  if id and not shown.reported[id] then
    shown.reported[id] = true
    M.report('lacuna/shown', { id = id })
  end
  return true
end

---@param found lacuna.Candidate[]
---@param invoked boolean
---@param index integer of the one to show
local function show(found, invoked, index)
  M.clear()
  if #found > 0 then
    local buf = vim.api.nvim_get_current_buf()
    shown = { buf = buf, candidates = found, index = index, invoked = invoked, reported = {} }
    M.redraw()
  end
end

---@param found lacuna.Candidate[]
local function show_automatic(found)
  show(found, false, 1)
end

--- Ask soon. Answers mostly come before the next key, so no pause in typing is waited for.
---@param deleted boolean the last key removed text; who holds Backspace wants nothing meanwhile
local function ask_later(deleted)
  if request.welcome(vim.api.nvim_get_current_buf()) then
    local waits = config.current.debounce
    request.later(deleted and waits.deleting or waits.typing, show_automatic)
  else
    request.cancel()
  end
end

---@alias lacuna.Change 'none'|'moved'|'typed'|'deleted'

--- Take note of the buffer as it is, and of what has happened to it. Neovim tells of a key by
--- several events.
---@return lacuna.Change
local function note()
  local before, bytes_before = last.moment, last.bytes
  local moment = request.moment()
  local bytes = vim.api.nvim_buf_get_offset(moment.buf, vim.api.nvim_buf_line_count(moment.buf))
  last = { moment = moment, bytes = bytes }
  if vim.deep_equal(before, moment) then
    return 'none'
  elseif before and before.buf == moment.buf and before.tick == moment.tick then
    return 'moved'
  elseif before and before.buf == moment.buf and bytes < bytes_before then
    return 'deleted'
  end
  return 'typed'
end

--- Something happened in insert mode: a key, a movement. Keep the suggestion when it still fits,
--- else ask anew.
function M.refresh()
  local change = note()
  if change == 'none' or shown and M.redraw() then
    return
  elseif change == 'moved' then
    request.cancel()
    ahead.rest()
  else
    ask_later(change == 'deleted')
  end
end

--- All of the suggestion is in the buffer now: take it away, and ask at once for what follows it.
function M.taken()
  M.clear()
  note() -- the events of this change tell nothing new
  if request.welcome(vim.api.nvim_get_current_buf()) then
    following = request.moment()
    request.later(0, show_automatic)
  end
end

--- What follows a suggestion that was taken is on its way, and nothing has been typed since.
---@return boolean
function M.follows()
  return request.running() and not shown and vim.deep_equal(following, request.moment())
end

--- Insert mode begins: here a suggestion is wanted without a key.
function M.enter()
  note()
  ask_later(false)
end

--- The model has been loaded: what was asked for before was answered with nothing.
function M.ask_again()
  if request.inserting() and not shown then
    ask_later(false)
  end
end

--- Insert mode or the buffer is left: nothing is shown, nothing is computed.
function M.leave()
  following = nil
  request.cancel()
  M.clear()
end

--- Take the suggestion away at the user's wish.
---@return boolean was_shown
function M.dismiss()
  local was_shown = shown ~= nil
  M.leave()
  return was_shown
end

--- Show the first candidate, or where that is what was shown, another. What was shown stays when
--- there is none.
---@param found lacuna.Candidate[]
---@param before string? what was shown when they were asked for
---@param step integer
local function show_invoked(found, before, step)
  local fit = vim.tbl_filter(fit_here, found) ---@type lacuna.Candidate[]
  local index = 1
  for i, one in ipairs(fit) do
    -- Not its whole text, which may begin before the cursor, with the word being typed.
    if assert(fit_here(one)).rest == before then
      index = (i - 1 + step) % #fit + 1
      break
    end
  end
  if #fit > 0 then
    show(fit, true, index)
  end
end

--- The candidate that follows the shown one, or a further one, of those that fit.
---@param what lacuna.Shown
---@param step integer
---@return integer? index nil when no other fits
local function other(what, step)
  local most = #what.candidates
  for i = 1, most - 1 do
    local index = (what.index - 1 + i * step) % most + 1
    if fit_here(what.candidates[index]) then
      return index
    end
  end
end

--- Show the next candidate, or the one before; the server is asked for them at the first time, and
--- where none of those it gave fits any more.
---@param step integer 1 or -1
function M.cycle(step)
  local index = shown and shown.invoked and other(shown, step)
  if shown and index then
    shown.index = index
    M.redraw()
    return
  end
  note() -- the events of what was typed just before tell nothing new
  local fit = M.redraw() and M.fit() or nil
  local before = fit and fit.rest
  request.now(request.INVOKED, function(found)
    show_invoked(found, before, step)
  end)
end

return M
