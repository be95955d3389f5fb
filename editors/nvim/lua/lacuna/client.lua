--- The server: found, started, attached to buffers, started again when it dies.

local config = require('lacuna.config')
local notice = require('lacuna.notice')
local scope = require('lacuna.scope')

local M = {}

local MOST_RESTARTS = 5
local STOP_MS = 2000 -- given to a server to end by itself
local FIRST_DELAY_MS = 200 -- doubled at each restart
local FORGOTTEN_MS = 600000 -- after so long without a death, those before it do not count
local REPLACED_MS = 1000 -- within which one that others stopped is started again by them, or is not
local LOG_BYTES = 1000000 -- a longer log is begun anew
local LOG_SECONDS = 86400 -- after which the log of a Neovim that has ended is removed
local WORDS_BYTES = 2000 -- of its end that are read for the reason of a death

---@class lacuna.Server
---@field id? integer the vim.lsp client
---@field wanted boolean it should be running
---@field process? vim.lsp.rpc.PublicClient the way to it, unless it was stopped on purpose
---@field restarts integer since the user last started it, or since deaths before were forgotten
---@field died_at? integer when it last did, by vim.uv.now()
---@field gone? string why it is not running
---@field log_from? integer where its part of the log begins; nil when it has no log

local STOPPED = 'You stopped the server; :LacunaRestart starts it.'
local NOT_SET_UP = 'setup() has not been called; see :help lacuna.'

---@type lacuna.Server
local server = { wanted = false, restarts = 0, gone = NOT_SET_UP }

--- Handlers of the server's own notifications, set by the modules that want them.
---@type table<string, fun(params: any)>
M.notifications = {}
---@type fun(client: vim.lsp.Client)[] called when a server is ready, before it has any buffer
M.on_ready = {}
---@type fun()[] called when the server has gone
M.on_gone = {}

---@type table<integer, string> buffer -> the language it was opened with on the server
local languages = {}

--- One for each Neovim: several run at a time, and what a server said before it died must not be
--- taken from another's.
---@return string
function M.log_path()
  local name = ('lacuna-%d.log'):format(vim.uv.os_getpid())
  return vim.fs.joinpath(vim.fn.stdpath('log') --[[@as string]], name)
end

local unlogged ---@type string?

--- Why there is no log; nil when there is one, or no server has been started yet.
---@return string?
function M.unlogged()
  return unlogged
end

---@return vim.lsp.Client? the running client
function M.get()
  local client = server.id and vim.lsp.get_client_by_id(server.id)
  return client and not client:is_stopped() and client.initialized and client or nil
end

---@param buf integer
---@return vim.lsp.Client? the client, when it has this buffer
function M.of(buf)
  local client = M.get()
  return client and client.attached_buffers[buf] and client or nil
end

--- Why the server is not running; nil when it is, or is on its way.
---@return string?
function M.gone()
  return server.gone
end

---@return integer
function M.restarts()
  return server.restarts
end

--- Remove the logs of Neovims that ended some time ago.
---@param folder string
local function remove_old_logs(folder)
  for name in vim.fs.dir(folder) do
    local pid = tonumber(name:match('^lacuna%-(%d+)%.log$'))
    local path = vim.fs.joinpath(folder, name)
    local stat = pid and vim.uv.kill(pid, 0) ~= 0 and vim.uv.fs_stat(path)
    if stat and os.time() - stat.mtime.sec > LOG_SECONDS then
      vim.uv.fs_unlink(path)
    end
  end
end

--- A server without a log is better than none: then the user is told, and its error output is left
--- to Neovim.
local function begin_log()
  remove_old_logs(vim.fs.dirname(M.log_path()))
  local stat = vim.uv.fs_stat(M.log_path())
  local file, problem = io.open(M.log_path(), stat and stat.size > LOG_BYTES and 'w' or 'a')
  server.log_from = nil
  if file then
    file:write(os.date('%Y-%m-%d %H:%M:%S started by Neovim\n'))
    server.log_from = file:seek('end')
    file:close()
  elseif problem ~= unlogged then
    notice.warn(('the server runs without a log: %s.'):format(problem))
  end
  unlogged = problem
end

---@return string? last line that the server wrote to its log
local function last_words()
  local file = server.log_from and io.open(M.log_path(), 'r')
  if not file then
    return nil
  end
  file:seek('set', math.max(server.log_from, (file:seek('end') or 0) - WORDS_BYTES))
  local lines = vim.split(vim.trim(file:read('a')), '\n')
  file:close()
  return lines[#lines] ~= '' and lines[#lines] or nil
end

--- The command, its error output going to a log of its own; Neovim would file each line of it as an
--- error.
---@return string[]
local function logged(cmd)
  if vim.fn.has('win32') == 1 or not server.log_from then
    return cmd
  end
  return { 'sh', '-c', 'exec "$@" 2>>"$0"', M.log_path(), unpack(cmd) }
end

local function tell_gone()
  for _, hear in ipairs(M.on_gone) do
    hear()
  end
end

---@param problem string
local function stay_off(problem)
  server.gone = problem
  server.wanted = false
  tell_gone()
  local log = server.log_from and ' Log: ' .. M.log_path() or ''
  notice.error(('%s Mend that, then :LacunaRestart.%s'):format(problem, log))
end

---@param code integer
---@param signal integer
local function died(code, signal)
  local words = last_words()
  local cause = signal ~= 0 and ('signal %d'):format(signal) or ('exit code %d'):format(code)
  local problem = ('the server ended with %s%s.'):format(
    cause,
    words and ' (' .. words .. ')' or ''
  )
  server.id = nil
  server.gone = problem
  tell_gone()
  if server.died_at and vim.uv.now() - server.died_at >= FORGOTTEN_MS then
    server.restarts = 0
  end
  server.died_at = vim.uv.now()
  if server.restarts >= MOST_RESTARTS then
    return stay_off(
      ('%s It was started again %d times and stays off.'):format(problem, MOST_RESTARTS)
    )
  end
  server.restarts = server.restarts + 1
  if server.restarts == 1 then
    notice.warn(('%s It is started again, at most %d times.'):format(problem, MOST_RESTARTS))
  end
  vim.defer_fn(function()
    if server.wanted and not server.id then
      M.start()
    end
  end, bit.lshift(FIRST_DELAY_MS, server.restarts - 1))
end

--- Ask it to end, and end it when it does not.
---@param client vim.lsp.Client
local function finish(client)
  client:stop()
  vim.defer_fn(function()
    if not client.rpc.is_closing() then
      client.rpc.terminate()
    end
  end, STOP_MS)
end

---@param reason string
local function stop(reason)
  local client = server.id and vim.lsp.get_client_by_id(server.id)
  server = { wanted = false, restarts = 0, gone = reason }
  if client then
    finish(client)
  end
  tell_gone()
end

--- vim.lsp's way to a process of ours. It warns at each exit that is not clean; here the user is
--- told once, so it is told that all are clean.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
local function connect(dispatchers)
  local on_exit = dispatchers.on_exit
  local way ---@type vim.lsp.rpc.PublicClient
  local asked = false -- to end, by vim.lsp
  local ours = vim.tbl_extend('force', dispatchers, {
    on_exit = function(code, signal)
      on_exit(0, 0)
      vim.defer_fn(function()
        if server.process ~= way or vim.v.exiting ~= vim.NIL then
          return
        end
        if asked then
          return stop(STOPPED)
        end
        died(code, signal)
      end, asked and REPLACED_MS or 0)
    end,
  })
  local process = vim.lsp.rpc.start(logged(config.current.cmd), ours)
  way = vim.tbl_extend('force', process, {
    request = function(method, ...)
      asked = asked or method == 'shutdown'
      return process.request(method, ...)
    end,
    terminate = function()
      asked = true
      return process.terminate()
    end,
  })
  server.process = way
  return way
end

---@return lsp.ClientCapabilities
local function capabilities()
  local all = vim.lsp.protocol.make_client_capabilities()
  all.textDocument.inlineCompletion = { dynamicRegistration = false }
  return all
end

---@return table<string, lsp.Handler>
local function handlers()
  local all = {} ---@type table<string, lsp.Handler>
  for method, hear in pairs(M.notifications) do
    all[method] = function(_, params)
      hear(params)
    end
  end
  return all
end

local function consider_all()
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    M.consider(buf)
  end
end

--- A client is ready: the one launched here, or the one that Neovim's `:lsp restart` has put in its
--- place. One that was stopped or replaced meanwhile has no business any more.
---@param client vim.lsp.Client
local function ready(client)
  if not server.wanted or client.rpc ~= server.process then
    return client:stop()
  end
  languages = {}
  for _, hear in ipairs(M.on_ready) do
    hear(client)
  end
  if server.id ~= client.id then
    server.id = client.id
    consider_all()
  end
end

---@return vim.lsp.ClientConfig
local function client_config()
  return {
    name = 'lacuna',
    cmd = connect,
    root_dir = vim.fs.root(0, '.git') or vim.uv.cwd(),
    init_options = config.current.settings, -- and no `settings`: each bad one would be told twice
    capabilities = capabilities(),
    handlers = handlers(),
    get_language_id = function(_, filetype)
      return scope.language_id(filetype)
    end,
    on_init = ready,
    on_attach = function(_, buf) -- it has just been opened
      languages[buf] = scope.language_id(vim.bo[buf].filetype)
    end,
  }
end

local function launch()
  local program = config.current.cmd[1]
  if vim.fn.executable(program) == 0 then
    local remedy = 'Install it (:help lacuna-installation), or set cmd in setup().'
    return stay_off(('"%s" was not found. %s'):format(program, remedy))
  end
  local made, trouble = pcall(vim.fn.mkdir, vim.fs.dirname(M.log_path()), 'p')
  if not made then -- vim.lsp itself makes that folder, and does not load where it cannot
    return stay_off(('Neovim has no folder for its logs (%s).'):format(trouble))
  end
  begin_log()
  server.id = vim.lsp.start(client_config(), {
    attach = false,
    silent = true,
    reuse_client = function()
      return false -- a client that is being stopped must not be taken again
    end,
  })
  if not server.id then
    stay_off(('"%s" could not be started.'):format(program))
  end
end

--- The server has the buffer as one of another language than it is now.
---@param buf integer
---@return boolean
local function mistaken(buf)
  local language = M.of(buf) and languages[buf]
  return language and language ~= scope.language_id(vim.bo[buf].filetype) or false
end

--- Attach the server to a buffer it may see, detach it from one it may not. The first it may see
--- starts it. One whose language has changed is closed, and opened as what it is.
---@param buf integer
function M.consider(buf)
  if not server.wanted or server.gone or not vim.api.nvim_buf_is_loaded(buf) then
    return
  end
  local may = scope.left_alone(buf) == nil
  if may and not server.id then
    launch()
  end
  local attached = server.id and vim.lsp.buf_is_attached(buf, server.id)
  if attached and (not may or mistaken(buf)) then
    vim.lsp.buf_detach_client(buf, server.id)
    attached = false
  end
  if may and server.id and not attached then
    vim.lsp.buf_attach_client(buf, server.id)
  end
end

--- The buffer is about to get another name: close it on the server under the one it has. It is
--- opened again by BufFilePost, and also when the new name is refused, which no event tells.
---@param buf integer
function M.rename(buf)
  if M.of(buf) then
    vim.lsp.buf_detach_client(buf, server.id)
    vim.schedule(function()
      M.consider(buf)
    end)
  end
end

--- Have the server run as long as there is a buffer it may see.
function M.start()
  server.wanted = true
  server.gone = nil
  consider_all()
end

--- Stop the server on purpose; it is not started again.
function M.stop()
  if server.gone == NOT_SET_UP then
    return notice.warn(NOT_SET_UP)
  end
  stop(STOPPED)
end

--- Start with the present configuration, with all restarts to spend; a server that runs is stopped.
function M.begin()
  stop('It is being restarted.')
  M.start()
end

--- The same at the user's wish.
function M.restart()
  if server.gone == NOT_SET_UP then
    return notice.warn(NOT_SET_UP)
  end
  M.begin()
end

return M
