--- The user's commands. Nothing else of the plugin is loaded before one is used or setup() is
--- called.

local M = {}

---@param name string
---@param run fun(args: vim.api.keyset.create_user_command.command_args)
---@param options vim.api.keyset.user_command
local function command(name, run, options)
  options.bar = true
  vim.api.nvim_create_user_command('Lacuna' .. name, run, options)
end

---@param args vim.api.keyset.create_user_command.command_args
---@return string? filetype
local function filetype(args)
  return args.args ~= '' and args.args or nil
end

function M.define()
  command('Fill', function(args)
    require('lacuna.fill').lines(args.line1, args.line2)
  end, { range = true, desc = 'Fill the lines anew' })
  command('Status', function()
    require('lacuna.status').show()
  end, { desc = 'Show how Lacuna is doing' })
  command('Why', function()
    require('lacuna.why').show()
  end, { desc = 'Show why nothing is suggested' })
  command(
    'Pause',
    function(args)
      require('lacuna').pause(filetype(args))
    end,
    { nargs = '?', complete = 'filetype', desc = 'Ask for nothing, everywhere or in a filetype' }
  )
  command('Resume', function(args)
    require('lacuna').resume(filetype(args))
  end, { nargs = '?', complete = 'filetype', desc = 'Undo :LacunaPause' })
  command('Restart', function()
    require('lacuna.client').restart()
  end, { desc = 'Start the server anew' })
  command('Stop', function()
    require('lacuna.client').stop()
  end, { desc = 'Stop the server' })
end

return M
