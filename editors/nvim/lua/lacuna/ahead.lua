--- Tells the server where a request is likely, so that it reads what stands there before it is
--- asked.

local request = require('lacuna.request')

local M = {}

local REST_MS = 150 -- a cursor that stays this long has come to rest

local timer = assert(vim.uv.new_timer())

--- Have the server read around the cursor, where an automatic request would be welcome.
function M.here()
  local lsp = request.welcome(vim.api.nvim_get_current_buf())
  if lsp then
    lsp:notify('lacuna/readAhead', vim.lsp.util.make_position_params(0, lsp.offset_encoding))
  end
end

--- The same in the modes from which one comes to type.
function M.rested()
  local mode = vim.api.nvim_get_mode().mode:sub(1, 1)
  if mode == 'n' or mode == 'i' then
    M.here()
  end
end

--- The cursor has moved: read around it once it has come to rest, unless it was asked there.
function M.rest()
  timer:start(
    REST_MS,
    0,
    vim.schedule_wrap(function()
      if not request.was_here() then
        M.rested()
      end
    end)
  )
end

return M
