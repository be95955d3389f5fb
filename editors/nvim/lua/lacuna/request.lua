--- One request for suggestions at a time: sent after a wait, cancelled on the server when it is
--- overtaken, and its reply dropped when the buffer, the cursor or the mode is no longer what it
--- was.

local candidate = require('lacuna.candidate')
local client = require('lacuna.client')
local scope = require('lacuna.scope')

local M = {}

M.INVOKED = 1
M.AUTOMATIC = 2

--- What must still hold when the reply comes.
---@class lacuna.Moment
---@field buf integer
---@field tick integer b:changedtick
---@field row integer 0-based
---@field col integer byte column
---@field beside integer columns from there on, where 'virtualedit' has the cursor beside the text

---@class lacuna.Pending
---@field client_id integer
---@field id integer

local timer = assert(vim.uv.new_timer())
local pending ---@type lacuna.Pending?
local due = false -- one waits to be sent
local newest = 0 -- number of the newest request; an older one's reply is dropped
local last ---@type lacuna.Moment? when it was sent

---@return lacuna.Moment
function M.moment()
  local buf = vim.api.nvim_get_current_buf()
  local cursor = vim.api.nvim_win_get_cursor(0)
  return {
    buf = buf,
    tick = vim.api.nvim_buf_get_changedtick(buf),
    row = cursor[1] - 1,
    col = cursor[2],
    beside = vim.fn.getpos('.')[4],
  }
end

--- What is accepted could be put in at the cursor.
---@return boolean
function M.inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' and M.moment().beside == 0
end

--- Whether the newest request was sent from here, the text being as it is.
---@return boolean
function M.was_here()
  return vim.deep_equal(last, M.moment())
end

---@param asked lacuna.Moment
---@return boolean
local function still(asked)
  return M.inserting() and vim.deep_equal(asked, M.moment())
end

--- The client to which an automatic request for this buffer may be sent, or nil.
---@param buf integer
---@return vim.lsp.Client?
function M.welcome(buf)
  local lsp = client.of(buf)
  return lsp and not scope.left_alone(buf) and not scope.quiet(buf) and lsp or nil
end

--- A request waits to be sent, or for its reply.
---@return boolean
function M.running()
  local lsp = pending and vim.lsp.get_client_by_id(pending.client_id)
  return due or lsp ~= nil and not lsp:is_stopped() -- one that has gone will never reply
end

--- Forget the waiting request and cancel the running one on the server.
function M.cancel()
  timer:stop()
  due = false
  newest = newest + 1
  local running = pending
  pending = nil
  local lsp = running and vim.lsp.get_client_by_id(running.client_id)
  if running and lsp and vim.tbl_get(lsp.requests, running.id, 'type') == 'pending' then
    lsp:cancel_request(running.id)
  end
end

---@param result? lsp.InlineCompletionList|lsp.InlineCompletionItem[]
---@param asked lacuna.Moment
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return lacuna.Candidate[]
local function candidates(result, asked, encoding)
  local found = {} ---@type lacuna.Candidate[]
  for _, item in ipairs(result and (result.items or result) or {}) do
    table.insert(found, candidate.from_item(item, asked.buf, asked.row, asked.col, encoding))
  end
  return found
end

--- Ask now, for the current buffer and cursor.
---@param kind integer M.INVOKED or M.AUTOMATIC
---@param take fun(found: lacuna.Candidate[]) called only when nothing has moved since
---@return boolean sent
function M.now(kind, take)
  M.cancel()
  local asked = M.moment()
  local lsp = client.of(asked.buf)
  if not lsp then
    return false
  end
  last = asked
  local number = newest
  local encoding = lsp.offset_encoding
  local params = vim.lsp.util.make_position_params(0, encoding) --[[@as table]]
  params.context = { triggerKind = kind }
  local sent, id = lsp:request('textDocument/inlineCompletion', params, function(err, result)
    if number ~= newest then
      return
    end
    pending = nil
    if not err and still(asked) then
      take(candidates(result, asked, encoding))
    end
  end, asked.buf)
  if sent and id then
    pending = { client_id = lsp.id, id = id }
  end
  return sent
end

--- Ask after `wait` ms, unless something else is asked before.
---@param wait integer
---@param take fun(found: lacuna.Candidate[])
function M.later(wait, take)
  M.cancel()
  due = true
  local number = newest
  local function ask()
    if number ~= newest then
      return -- cancel() has come after the timer had fired
    end
    due = false
    if M.inserting() then
      M.now(M.AUTOMATIC, take)
    end
  end
  timer:start(wait, 0, vim.schedule_wrap(ask))
end

return M
