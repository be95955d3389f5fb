--- The same verbs over Neovim 0.12's vim.lsp.inline_completion, for those who set ghost =
--- "builtin".
---
--- It is not the default, since in 0.12.4 it asks 200 ms after every key whatever the typing speed,
--- does not cancel the request before, draws a reply at a buffer that has changed since, and puts
--- what it accepts over the range of the request, so that letters typed meanwhile stand twice;
--- `lacuna-builtin` in the help has the list.

local M = {}

---@return boolean
function M.exists()
  return vim.lsp.inline_completion ~= nil
end

--- Let Neovim draw in a buffer, or keep it from that.
---@param buf integer
---@param enable boolean
function M.enable(buf, enable)
  vim.lsp.inline_completion.enable(enable, { bufnr = buf })
end

--- Keep Neovim from drawing what this plugin draws, also where the user has it draw for other
--- servers: to it this one has nothing to draw. To disable it for the client does not last, since
--- the user's vim.lsp.inline_completion.enable() goes over that.
---@param client vim.lsp.Client one whose buffers have not been attached yet
function M.leave_to_us(client)
  client.server_capabilities.inlineCompletionProvider = nil
end

---@param piece lacuna.Piece the built-in knows only the whole
---@return boolean
function M.accept(piece)
  return piece == 'whole' and vim.lsp.inline_completion.get()
end

---@return boolean
function M.visible()
  local namespace = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  return namespace ~= nil and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

---@param step integer
function M.cycle(step)
  vim.lsp.inline_completion.select({ count = step })
end

---@return boolean
function M.dismiss()
  local visible = M.visible()
  if visible then
    vim.lsp.inline_completion.get({
      on_accept = function()
        return nil
      end,
    })
  end
  return visible
end

return M
