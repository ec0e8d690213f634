-- A module that is written in Lua.

---Short names for the path of a page.
---@class rws.slug
local slug = {}

local separator = "-" -- private

--[[
---@nonsense inside a long comment
]]

local text = [[
---@nonsense inside a long string
]]

---Keeps letters and digits.
local function clean(s)
  ---@cast s string
  local t = s:gsub("%W+", separator) --[[@as string]]
  return t
end

---Turns a title into a slug.
---@param title string
---@return string
function slug.make(title)
  -- inside
  slug.count = 1
  return clean(title):lower()
end

slug.max = 60

function slug._reset() end

return slug
