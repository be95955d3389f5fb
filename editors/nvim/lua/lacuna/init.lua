--- Lacuna for Neovim: completion by diffusion, as ghost text.
---
---     require('lacuna').setup({ keys = true })
---
--- Without `keys` no key is taken; map the functions below to your own. See :help lacuna.

local accept = require('lacuna.accept')
local ahead = require('lacuna.ahead')
local builtin = require('lacuna.builtin')
local client = require('lacuna.client')
local config = require('lacuna.config')
local ghost = require('lacuna.ghost')
local keys = require('lacuna.keys')
local notice = require('lacuna.notice')
local scope = require('lacuna.scope')
local status = require('lacuna.status')
local suggestion = require('lacuna.suggestion')

local M = {}

--- Who draws and accepts, the same verbs for both.
---@class lacuna.Drawer
---@field visible fun(): boolean
---@field accept fun(piece: lacuna.Piece): boolean
---@field cycle fun(step: integer)
---@field dismiss fun(): boolean

---@type lacuna.Drawer
local own = {
  visible = suggestion.visible,
  accept = accept.accept,
  cycle = suggestion.cycle,
  dismiss = suggestion.dismiss,
}

local drawer = own

--- Accept the whole suggestion. False when none is shown, nor the one that follows an accepted one
--- on its way.
---@return boolean
function M.accept()
  return drawer.accept('whole')
end

--- Accept its next word.
---@return boolean
function M.accept_word()
  return drawer.accept('word')
end

--- Accept the rest of its current line.
---@return boolean
function M.accept_line()
  return drawer.accept('line')
end

---@param step integer
---@return boolean
local function cycle(step)
  local possible = suggestion.possible()
  if possible then
    drawer.cycle(step)
  end
  return possible
end

--- Show the next candidate; with nothing shown, ask now. False where that is not possible.
---@return boolean
function M.next()
  return cycle(1)
end

--- Show the candidate before.
---@return boolean
function M.prev()
  return cycle(-1)
end

--- Take the suggestion away. False when none is shown.
---@return boolean
function M.dismiss()
  return drawer.dismiss()
end

--- A suggestion is shown at the cursor.
---@return boolean
function M.visible()
  return drawer.visible()
end

--- A few words for the statusline.
---@return string
function M.statusline()
  return status.line()
end

--- Ask for nothing automatically, everywhere or in one filetype.
---@param filetype? string
function M.pause(filetype)
  scope.pause(filetype)
  suggestion.leave()
  status.announce()
  notice.info(('paused %s; :LacunaResume goes on.'):format(filetype or 'everywhere'))
end

--- Undo pause; without a filetype, all of it.
---@param filetype? string
function M.resume(filetype)
  scope.resume(filetype)
  status.announce()
  notice.info('goes on.')
end

---@param group integer
---@param events string|string[]
---@param desc string
---@param run fun(args: vim.api.keyset.create_autocmd.callback_args)
---@param pattern? string
local function on(group, events, desc, run, pattern)
  vim.api.nvim_create_autocmd(events, {
    group = group,
    pattern = pattern,
    desc = 'Lacuna: ' .. desc,
    callback = function(args)
      run(args) -- and nothing is returned: Neovim deletes an autocommand that returns true
    end,
  })
end

---@param group integer
local function watch_buffers(group)
  on(
    group,
    { 'FileType', 'BufFilePost', 'BufEnter', 'BufWritePost' },
    'show the buffer to the server',
    function(args)
      scope.look_again(args.buf)
      client.consider(args.buf)
    end
  )
  on(group, 'BufFilePre', 'have the server close what gets another name', function(args)
    client.rename(args.buf)
  end)
  on(group, { 'CursorMoved', 'BufEnter' }, 'read where the cursor rests', ahead.rest)
  on(group, 'ColorScheme', 'keep its colours', ghost.highlights)
end

---@param group integer
local function watch_typing(group)
  on(group, 'InsertEnter', 'ask', suggestion.enter)
  on(group, { 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, 'keep or ask', suggestion.refresh)
  on(group, 'CompleteChanged', 'make room for the menu', suggestion.clear)
  on(group, 'BufLeave', 'clear', suggestion.leave)
  -- Not InsertLeave, which <C-c> does not cause.
  on(group, 'ModeChanged', 'clear', suggestion.leave, 'i*:[^i]*')
end

---@param group integer
local function watch_for_builtin(group)
  on(group, { 'InsertEnter', 'LspAttach' }, 'have Neovim ask, unless paused', function(args)
    if client.of(args.buf) then
      builtin.enable(args.buf, scope.quiet(args.buf) == nil)
    end
  end)
end

--- Start Lacuna. May be called again with other options.
---@param options? table see lacuna.Config
function M.setup(options)
  local problems = config.set(options)
  if config.current.ghost == 'builtin' and not builtin.exists() then
    table.insert(problems, 'ghost = "builtin" needs Neovim 0.12; "own" is used')
    config.current.ghost = 'own'
  end
  for _, problem in ipairs(problems) do
    notice.warn(problem .. '.')
  end
  local group = vim.api.nvim_create_augroup('lacuna', { clear = true })
  ghost.highlights()
  watch_buffers(group)
  if config.current.ghost == 'builtin' then
    drawer = builtin
    watch_for_builtin(group)
    client.on_ready = {}
    status.on_loaded = { ahead.here }
  else
    drawer = own
    watch_typing(group)
    client.on_ready = { builtin.leave_to_us }
    status.on_loaded = { suggestion.ask_again, ahead.rested }
  end
  keys.take(config.current.keys, M)
  client.begin()
end

return M
