--- Which buffers Lacuna has to do with, and why not the others; and what the user has paused.

local config = require('lacuna.config')
local power = require('lacuna.power')

local M = {}

---@class lacuna.Reason
---@field reason string stable name; those of docs/protocol.md where the server has the same
---@field detail string a sentence for people

-- Neovim's filetypes that LSP names otherwise.
local LANGUAGE_IDS = {
  sh = 'shellscript',
  cs = 'csharp',
  text = 'plaintext',
  tex = 'latex',
  ['javascript.jsx'] = 'javascriptreact',
  ['typescript.tsx'] = 'typescriptreact',
}

---@param filetype string
---@return string its first part
local function first_part(filetype)
  return filetype:match('^[^.]*') --[[@as string]]
end

--- The language of a filetype; of one of several parts, such as python.django, that of the first.
---@param filetype string
---@return string
function M.language_id(filetype)
  local first = first_part(filetype)
  return LANGUAGE_IDS[filetype] or LANGUAGE_IDS[first] or first
end

---@param filetype string
---@return string? its name, whole or as a language, that the user has disabled
local function disabled_name(filetype)
  for _, name in ipairs({ filetype, M.language_id(filetype) }) do
    if vim.list_contains(config.current.settings.disabledLanguages, name) then
      return name
    end
  end
end

---@type table<string, vim.lpeg.Pattern>
local patterns = {}

--- As the server reads a glob: case is ignored, one that does not start at the root may start at any
--- folder, and one that ends with / means all in that folder. One that this Neovim cannot read
--- matches nothing here; the server reads it.
---@param glob string
---@return vim.lpeg.Pattern
local function pattern(glob)
  if not patterns[glob] then
    local plain = glob:gsub('^%./', ''):gsub('/$', '/**'):gsub('%[%^', '[!')
    local anywhere = vim.startswith(plain, '/') and plain or '**/' .. plain
    local read, made = pcall(vim.glob.to_lpeg, anywhere:lower())
    patterns[glob] = read and made or vim.lpeg.P(false)
  end
  return patterns[glob]
end

-- Where names of buffers lead: asked once, since a statusline is drawn at each key.
---@type table<string, string>
local real_paths = {}

--- Ask again where the name of a buffer leads.
---@param buf integer
function M.look_again(buf)
  real_paths[vim.api.nvim_buf_get_name(buf)] = nil
end

---@param name string of a buffer
---@return string
local function real_path(name)
  real_paths[name] = real_paths[name] or vim.uv.fs_realpath(name) or name
  return real_paths[name]
end

---@param name string of a buffer
---@return string? the glob that excludes it, or what it is a link to
local function excluding_glob(name)
  for _, path in ipairs({ name, real_path(name) }) do
    local normal = vim.fs.normalize(path):lower()
    for _, glob in ipairs(config.current.settings.excludedGlobs) do
      if pattern(glob):match(normal) then
        return glob
      end
    end
  end
end

---@param buf integer
---@return integer bytes
local function size(buf)
  return vim.api.nvim_buf_get_offset(buf, vim.api.nvim_buf_line_count(buf))
end

---@param reason string
---@param detail string
---@return lacuna.Reason
local function because(reason, detail)
  return { reason = reason, detail = detail }
end

--- Why this buffer's text must not reach the server, or nil when it may.
---@param buf integer
---@return lacuna.Reason?
function M.left_alone(buf)
  local settings = config.current.settings
  local name = vim.api.nvim_buf_get_name(buf)
  local filetype = vim.bo[buf].filetype
  local disabled = disabled_name(filetype)
  if vim.bo[buf].buftype ~= '' or not vim.bo[buf].modifiable then
    return because('not-a-file', 'This buffer is not an ordinary file.')
  elseif name == '' then
    return because('no-name', 'This buffer has no name; give it one with :file or :write.')
  elseif filetype == '' then
    return because('no-filetype', 'This buffer has no filetype; set one with :setfiletype.')
  elseif disabled then
    return because(
      'disabled-language',
      ('"%s" is one of settings.disabledLanguages.'):format(disabled)
    )
  end
  local glob = excluding_glob(name)
  if glob then
    return because(
      'excluded',
      ('settings.excludedGlobs holds "%s", which matches this file.'):format(glob)
    )
  elseif size(buf) > settings.maxFileBytes then
    local detail = 'The file has %d bytes, more than settings.maxFileBytes (%d).'
    return because('too-large', detail:format(size(buf), settings.maxFileBytes))
  end
end

---@type { everywhere: boolean, filetypes: table<string, true> }
local paused = { everywhere = false, filetypes = {} }

--- Stop automatic requests everywhere, or for one filetype.
---@param filetype? string
function M.pause(filetype)
  if filetype then
    paused.filetypes[filetype] = true
  else
    paused.everywhere = true
  end
end

--- Undo pause; without a filetype, all of it.
---@param filetype? string
function M.resume(filetype)
  if filetype then
    paused.filetypes[filetype] = nil
  else
    paused = { everywhere = false, filetypes = {} }
  end
end

--- Why no automatic request is sent for this buffer, or nil.
---@param buf integer
---@return lacuna.Reason?
function M.quiet(buf)
  local whole = vim.bo[buf].filetype
  local filetype = paused.filetypes[whole] and whole or first_part(whole)
  local why = power.reason(config.current.battery)
  if paused.everywhere then
    return because('paused', 'You paused Lacuna everywhere; :LacunaResume resumes it.')
  elseif paused.filetypes[filetype] then
    return because(
      'paused',
      ('You paused %s; :LacunaResume %s resumes it.'):format(filetype, filetype)
    )
  elseif why then
    return because('battery', ('Automatic requests stopped: %s.'):format(why))
  elseif vim.fn.pumvisible() == 1 then
    return because('menu', 'The completion menu is open.')
  elseif vim.fn.reg_executing() ~= '' then
    return because('macro', 'A macro is running.')
  end
end

return M
