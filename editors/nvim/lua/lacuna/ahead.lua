--- Tells the server where a request is likely, so that it reads what stands there before it is
--- asked.

local request = require('lacuna.request')

local M = {}

local REST_MS = 150 -- a cursor that stays this long has come to rest

local timer = assert(vim.uv.new_timer())

--- Have the server read around the cursor.
---@param lsp vim.lsp.Client
function M.tell(lsp)
  lsp:notify('lacuna/readAhead', vim.lsp.util.make_position_params(0, lsp.offset_encoding))
end

--- The same where an automatic request would be welcome, and only there.
function M.here()
  local lsp = request.welcome(vim.api.nvim_get_current_buf())
  if lsp then
    M.tell(lsp)
  end
end

--- The same in Normal mode; in Insert mode it is told with each request that waits.
function M.rested()
  if vim.api.nvim_get_mode().mode:sub(1, 1) == 'n' then
    M.here()
  end
end

--- The cursor has moved: read around it once it has come to rest.
function M.rest()
  timer:start(REST_MS, 0, vim.schedule_wrap(M.rested))
end

return M
