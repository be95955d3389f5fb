--- Whether the machine runs on battery or saves power, from the files Linux keeps about it.
--- Elsewhere nothing is known, and nothing is ever paused for it.

local M = {}

M.supplies = '/sys/class/power_supply'
M.profile = '/sys/firmware/acpi/platform_profile'

local LOW_PERCENT = 20
local FRESH_MS = 15000 -- one look at the files serves this long

---@class lacuna.Power
---@field on_battery boolean a battery is discharging
---@field saving boolean it is low, or the power profile is "low-power"

---@param path string
---@return string? first line
local function read(path)
  local file = io.open(path, 'r')
  if not file then
    return nil
  end
  local line = file:read('l')
  file:close()
  return line
end

---@return lacuna.Power
local function look()
  local power = { on_battery = false, saving = false }
  for name in vim.fs.dir(M.supplies) do
    local supply = vim.fs.joinpath(M.supplies, name)
    -- "Device" is the battery of a mouse or a headset.
    local own = read(supply .. '/type') == 'Battery' and read(supply .. '/scope') ~= 'Device'
    if own and read(supply .. '/status') == 'Discharging' then
      power.on_battery = true
      power.saving = (tonumber(read(supply .. '/capacity')) or 100) <= LOW_PERCENT
    end
  end
  power.saving = power.saving or power.on_battery and read(M.profile) == 'low-power'
  return power
end

local seen ---@type lacuna.Power?
local seen_at = 0

---@return lacuna.Power
function M.now()
  if not seen or vim.uv.now() - seen_at > FRESH_MS then
    seen, seen_at = look(), vim.uv.now()
  end
  return seen
end

--- Forget the last look, so that the next one reads the files.
function M.forget()
  seen = nil
end

--- Why automatic requests wait for mains power, or nil.
---@param policy 'ignore'|'saver'|'pause'
---@return string?
function M.reason(policy)
  if policy == 'pause' and M.now().on_battery then
    return 'the machine runs on battery (option battery = "pause")'
  end
  if policy == 'saver' and M.now().saving then
    return 'the machine saves its battery (option battery = "saver")'
  end
end

return M
