--- How long to wait after a key before asking, learned from how fast the keys come.
---
--- A request sent between two keys of a burst is computed for nothing, so the wait is a little
--- longer than the usual gap between this person's keys. When that gap is longer than the upper
--- bound no wait within the bounds would merge two keys: then every key is a pause, and the request
--- goes out after the lower bound.

local M = {}

local PAUSE_MS = 1000 -- a longer gap is thinking, not typing
local WEIGHT = 0.2 -- of the newest gap in the running mean
local MARGIN = 1.3 -- waited, in usual gaps
local FIRST_GAP_MS = 120

---@class lacuna.Rhythm
---@field gap number running mean of the gaps between keys, ms
---@field last? number time of the last key, ms

---@return lacuna.Rhythm
function M.rhythm()
  return { gap = FIRST_GAP_MS }
end

--- Take note of a key.
---@param rhythm lacuna.Rhythm
---@param now number ms, of any clock that only runs forward
function M.key(rhythm, now)
  local gap = rhythm.last and now - rhythm.last
  if gap and gap < PAUSE_MS then
    rhythm.gap = rhythm.gap + WEIGHT * (gap - rhythm.gap)
  end
  rhythm.last = now
end

--- The wait before the next automatic request, ms.
---@param rhythm lacuna.Rhythm
---@param bounds lacuna.DebounceBounds
---@return integer
function M.wait(rhythm, bounds)
  local wait = MARGIN * rhythm.gap
  if wait > bounds.max then
    return bounds.min
  end
  return math.floor(math.max(wait, bounds.min))
end

return M
