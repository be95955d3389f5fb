--- :checkhealth lacuna

local client = require('lacuna.client')
local config = require('lacuna.config')
local scope = require('lacuna.scope')
local status = require('lacuna.status')

local M = {}

local health = vim.health

local function check_editor()
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.11') == 1 then
    health.ok('Neovim ' .. version)
  else
    health.error('Neovim ' .. version .. ' is too old', 'Lacuna needs 0.11 or newer.')
  end
end

local function check_program()
  local program = config.current.cmd[1]
  if vim.fn.executable(program) == 0 then
    local advice = 'install it (:help lacuna-installation), or set cmd in setup()'
    return health.error(('"%s" is not an executable program'):format(program), advice)
  end
  health.ok(
    ('server: %s (%s)'):format(table.concat(config.current.cmd, ' '), vim.fn.exepath(program))
  )
end

local function check_server()
  local last = status.last()
  if client.gone() then
    health.warn('the server is off: ' .. client.gone(), ':LacunaRestart starts it')
  elseif not client.get() then
    health.info('the server starts with the first buffer it may see')
  else
    health.ok(('the server runs (restarts: %d)'):format(client.restarts()))
  end
  if last and last.state == 'error' then
    health.error(last.message)
  elseif last then
    health.ok(('%s: %s'):format(last.state, last.message))
    health.info(('model %s on %s'):format(last.model or '?', last.provider or '?'))
  end
  if client.unlogged() then
    health.warn('the server has no log: ' .. client.unlogged())
  else
    health.info('log: ' .. client.log_path())
  end
  health.info('`lacuna doctor` in a terminal checks model, runtime and speed')
end

local function check_keys()
  local any = false
  for verb, key in vim.spairs(config.current.keys) do
    any = true
    local desc = vim.fn.maparg(key, 'i', false, true).desc or ''
    if vim.startswith(desc, 'Lacuna:') then
      health.ok(('%s: %s'):format(key, verb))
    else
      local advice = 'Call setup() after the other, or give another key.'
      health.warn(('%s (%s) was mapped to something else since'):format(key, verb), advice)
    end
  end
  if not any then
    health.info('no keys are taken; setup({ keys = true }) takes those of :help lacuna-keys')
  end
end

local function check_drawing()
  health.info(
    ('ghost text is drawn by %s'):format(config.current.ghost == 'own' and 'Lacuna' or 'Neovim')
  )
  local quiet = scope.quiet(vim.api.nvim_get_current_buf())
  if quiet then
    health.warn(quiet.detail)
  end
end

function M.check()
  health.start('Lacuna')
  check_editor()
  check_program()
  check_server()
  check_keys()
  check_drawing()
end

return M
