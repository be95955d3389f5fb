--- What a user may set, its defaults, and the check of what was given.

local M = {}

---@class lacuna.Keys
---@field accept? string insert-mode key: the whole suggestion
---@field accept_word? string its next word
---@field accept_line? string its next line
---@field next? string the next candidate; with nothing shown: ask now
---@field prev? string the candidate before
---@field dismiss? string take the suggestion away

---@class lacuna.Debounce how long no other key must come before a request is sent, ms
---@field typing integer after a key that adds text
---@field deleting integer after one that takes text away

--- What the server knows; the names, types and defaults of docs/protocol.md. Keys left out have the
--- server's default.
---@class lacuna.Settings
---@field enabled? boolean
---@field disabledLanguages string[] LSP language ids that are left alone
---@field excludedGlobs string[] files that are never opened on the server
---@field maxFileBytes integer larger files are never opened on the server
---@field relatedFiles? boolean
---@field model? string
---@field provider? 'auto'|'cpu'|'cuda'
---@field threads? integer
---@field mode? 'diffusion'|'left-to-right'|'verified'
---@field multiline? 'auto'|'never'
---@field maxTokens? integer
---@field steps? integer
---@field threshold? number
---@field minProbability? number
---@field candidates? integer

---@class lacuna.Config
---@field cmd string[] the server
---@field keys lacuna.Keys
---@field ghost 'own'|'builtin' who draws: this plugin, or Neovim 0.12's vim.lsp.inline_completion
---@field debounce lacuna.Debounce
---@field battery 'ignore'|'saver'|'pause' when automatic requests stop on battery
---@field settings lacuna.Settings

---@type lacuna.Keys
local DEFAULT_KEYS = {
  accept = '<Tab>',
  accept_word = '<M-w>',
  accept_line = '<M-l>',
  next = '<M-n>',
  prev = '<M-p>',
  dismiss = '<C-]>',
}

---@return lacuna.Config
function M.defaults()
  return {
    cmd = { 'lacuna', 'serve' },
    keys = {},
    ghost = 'own',
    debounce = { typing = 50, deleting = 300 },
    battery = 'saver',
    settings = {
      disabledLanguages = {},
      excludedGlobs = {
        '**/.env',
        '**/.env.*',
        '**/*.pem',
        '**/*.key',
        '**/id_rsa*',
        '**/secrets.*',
      },
      maxFileBytes = 2000000,
    },
  }
end

---@param value any
---@return boolean
local function is_list_of_strings(value)
  return vim.islist(value)
    and vim.iter(value):all(function(one)
      return type(one) == 'string'
    end)
end

---@type table<string, fun(value: any): boolean>
local CHECKS = {
  ['a list of words'] = function(v)
    return is_list_of_strings(v) and #v > 0
  end,
  ['true, false or a table of keys'] = function(v)
    return type(v) == 'boolean'
      or type(v) == 'table'
        and vim.iter(v):all(function(name, key)
          return DEFAULT_KEYS[name] ~= nil and type(key) == 'string' and key ~= ''
        end)
  end,
  ['"own" or "builtin"'] = function(v)
    return v == 'own' or v == 'builtin'
  end,
  ['a table of typing and deleting in ms'] = function(v)
    return type(v) == 'table'
      and vim.iter(v):all(function(key, ms)
        return (key == 'typing' or key == 'deleting') and type(ms) == 'number' and ms >= 0
      end)
  end,
  ['"ignore", "saver" or "pause"'] = function(v)
    return v == 'ignore' or v == 'saver' or v == 'pause'
  end,
  ['a table of server settings'] = function(v)
    return type(v) == 'table'
  end,
  ['a list of strings'] = is_list_of_strings,
  ['a whole number from 0 to 100000000'] = function(v)
    return type(v) == 'number' and v >= 0 and v <= 100000000 and v % 1 == 0
  end,
}

---@type table<string, string> option -> what it must be (a key of CHECKS)
local OPTIONS = {
  cmd = 'a list of words',
  keys = 'true, false or a table of keys',
  ghost = '"own" or "builtin"',
  debounce = 'a table of typing and deleting in ms',
  battery = '"ignore", "saver" or "pause"',
  settings = 'a table of server settings',
}

-- The settings that are of use on this side too, as the server would have them; it checks the
-- others.
---@type table<string, string> setting -> what it must be (a key of CHECKS)
local SETTINGS = {
  disabledLanguages = 'a list of strings',
  excludedGlobs = 'a list of strings',
  maxFileBytes = 'a whole number from 0 to 100000000',
}

---@param name string
---@param wanted string
---@param value any
---@return string? problem nil when the value is what is wanted
local function complaint(name, wanted, value)
  if not CHECKS[wanted](value) then
    local seen = vim.inspect(value, { newline = ' ', indent = '' })
    return ('%s must be %s, not %s; the default is used'):format(name, wanted, seen)
  end
end

---@param given table
---@param problems string[] grows by those of the bad ones
---@return table settings without the bad ones
local function good_settings(given, problems)
  local good = vim.tbl_extend('force', {}, given)
  for setting, wanted in vim.spairs(SETTINGS) do
    local problem = given[setting] ~= nil
      and complaint('settings.' .. setting, wanted, given[setting])
    if problem then
      table.insert(problems, problem)
      good[setting] = nil
    end
  end
  return good
end

---@param keys boolean|lacuna.Keys
---@return lacuna.Keys
local function resolved_keys(keys)
  if type(keys) == 'table' then
    return keys
  end
  return keys and DEFAULT_KEYS or {}
end

---@type lacuna.Config
M.current = M.defaults()

--- Set the configuration. A bad option, or setting of the server, keeps its default and is named in
--- the result.
---@param given? table
---@return string[] problems
function M.set(given)
  local problems = {} ---@type string[]
  local accepted = {} ---@type table<string, any>
  for option, value in pairs(given or {}) do
    local wanted = OPTIONS[option]
    local problem = wanted and complaint(option, wanted, value)
    if not wanted then
      table.insert(problems, ('there is no option "%s" (see :help lacuna-options)'):format(option))
    elseif problem then
      table.insert(problems, problem)
    else
      accepted[option] = option == 'settings' and good_settings(value, problems) or value
    end
  end
  accepted.keys = resolved_keys(accepted.keys or false)
  M.current = vim.tbl_deep_extend('force', M.defaults(), accepted)
  return problems
end

return M
