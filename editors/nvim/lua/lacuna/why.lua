--- Why nothing is suggested: the causes on this side first, then what the server knows.

local client = require('lacuna.client')
local notice = require('lacuna.notice')
local scope = require('lacuna.scope')

local M = {}

--- Why the server cannot be asked about this buffer, or nil when it can.
---@param buf integer
---@return lacuna.Reason?
function M.unreachable(buf)
  local alone, gone = scope.left_alone(buf), client.gone()
  if alone then
    return alone
  elseif gone then
    return { reason = 'off', detail = gone }
  elseif not client.of(buf) then
    return { reason = 'starting', detail = 'The server is starting.' }
  end
end

---@param why lacuna.Reason
local function tell(why)
  notice.info(('%s (%s)'):format(why.detail, why.reason))
end

--- Tell the user why the last request for the current buffer gave nothing.
function M.show()
  local buf = vim.api.nvim_get_current_buf()
  local here = M.unreachable(buf) or scope.quiet(buf)
  if here then
    return tell(here)
  end
  local params = { textDocument = { uri = vim.uri_from_bufnr(buf) } }
  assert(client.of(buf)):request('lacuna/why', params, function(err, why)
    if err then
      notice.error(err.message)
    elseif why.reason == nil or why.reason == vim.NIL then
      notice.info('the last request brought a suggestion, or none was made yet.')
    else
      tell(why)
    end
  end, buf)
end

return M
