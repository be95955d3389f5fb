--- Messages to the user, all alike.

local M = {}

---@param message string
---@param level integer
local function say(message, level)
  vim.notify('Lacuna: ' .. message, level, { title = 'Lacuna' })
end

---@param message string
function M.info(message)
  say(message, vim.log.levels.INFO)
end

---@param message string
function M.warn(message)
  say(message, vim.log.levels.WARN)
end

---@param message string
function M.error(message)
  say(message, vim.log.levels.ERROR)
end

return M
