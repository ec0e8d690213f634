local x = 
local y = 1
