--- Lacuna's state for people: what the server says of itself, and what stands between it and a
--- buffer.

local client = require('lacuna.client')
local notice = require('lacuna.notice')
local scope = require('lacuna.scope')

local M = {}

--- As the server notifies it.
---@class lacuna.Status
---@field state 'loading'|'ready'|'computing'|'off'|'error'
---@field message string
---@field latencyMs? number of the last suggestion
---@field model? string
---@field provider? string

--- The reply to lacuna/getStatus.
---@class lacuna.FullStatus : lacuna.Status
---@field counts? lacuna.Counts

---@class lacuna.Counts
---@field requested integer
---@field shown integer
---@field accepted integer
---@field partiallyAccepted integer
---@field cancelled integer
---@field nothing integer

--- Called when the model has been loaded.
---@type fun()[]
M.on_loaded = {}

local last ---@type lacuna.Status?
local told = {} ---@type table<string, true> the failures the user knows of

--- Tell that what the statusline shows has changed.
function M.announce()
  vim.cmd.redrawstatus({ bang = true })
  vim.api.nvim_exec_autocmds('User', { pattern = 'LacunaStatus', modeline = false })
end

--- Tell the user of a failure once, until the server is well again: a model that keeps failing
--- fails at each request.
---@param status lacuna.Status
local function tell_failure(status)
  if status.state == 'error' and not told[status.message] then
    told[status.message] = true
    notice.error(status.message)
  elseif status.state ~= 'error' and status.state ~= 'computing' then
    told = {}
  end
end

---@param status lacuna.Status
client.notifications['lacuna/status'] = function(status)
  local loaded = status.state == 'ready' and last ~= nil and last.state == 'loading'
  last = status
  tell_failure(status)
  M.announce()
  for _, hear in ipairs(loaded and M.on_loaded or {}) do
    hear()
  end
end

table.insert(client.on_gone, function()
  last, told = nil, {}
  M.announce()
end)

--- What the server last said of itself; nil when it has not spoken yet.
---@return lacuna.Status?
function M.last()
  return last
end

-- There is nothing to say about Lacuna in these buffers.
local NO_FILE = { ['not-a-file'] = true, ['no-name'] = true, ['no-filetype'] = true }
-- Of the reasons to ask for nothing those that last.
local PAUSED = { paused = true, battery = true }

---@param status lacuna.Status
---@return string
local function word(status)
  local latency = status.latencyMs and ('%d ms'):format(status.latencyMs)
  if status.state == 'ready' then
    return latency or 'ready'
  elseif status.state == 'computing' then
    return latency and '… ' .. latency or '…'
  end
  return status.state
end

--- For the statusline: a few words about the current buffer, empty where Lacuna has no business.
---@return string
function M.line()
  local buf = vim.api.nvim_get_current_buf()
  local alone, quiet = scope.left_alone(buf), scope.quiet(buf)
  if alone then
    return NO_FILE[alone.reason] and '' or 'Lacuna off here'
  elseif client.gone() then
    return 'Lacuna off'
  elseif quiet and PAUSED[quiet.reason] then
    return 'Lacuna paused'
  end
  return 'Lacuna ' .. (last and word(last) or 'loading')
end

---@param counts lacuna.Counts
---@return string
local function counted(counts)
  local sentence =
    '%d requests: %d shown, %d accepted, %d accepted in part, %d cancelled, %d empty.'
  return sentence:format(
    counts.requested,
    counts.shown,
    counts.accepted,
    counts.partiallyAccepted,
    counts.cancelled,
    counts.nothing
  )
end

---@param status lacuna.FullStatus
---@return string[]
local function report(status)
  local lines = { ('%s: %s'):format(status.state, status.message) }
  if status.model then
    table.insert(lines, ('Model %s on %s.'):format(status.model, status.provider or '?'))
  end
  if status.latencyMs then
    table.insert(lines, ('The last suggestion took %d ms.'):format(status.latencyMs))
  end
  if status.counts then
    table.insert(lines, counted(status.counts))
  end
  if client.restarts() > 0 then
    table.insert(lines, ('Restarts of the server: %d.'):format(client.restarts()))
  end
  return lines
end

--- Tell the user all there is to tell.
function M.show()
  local lsp = client.get()
  if not lsp then
    return notice.info(client.gone() or 'the server has not started yet.')
  end
  lsp:request('lacuna/getStatus', vim.empty_dict(), function(err, status)
    if err then
      return notice.error(err.message)
    end
    notice.info(table.concat(report(status), '\n'))
  end)
end

return M
