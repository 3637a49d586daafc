-- Sends postbacks, each with an order of its own: wrk … -- FILE_OF_CLICK_IDS ORDER_PREFIX QUERY
local ids, count, prefix, query = {}, 0, "", ""

function init(args)
   for id in io.lines(args[1]) do ids[#ids + 1] = id end
   prefix, query = args[2], args[3]
end

function request()
   count = count + 1
   local id = ids[(count - 1) % #ids + 1]
   return wrk.format("GET", "/postback?" .. query .. "&click_id=" .. id .. "&order_id=" .. prefix .. count)
end

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
dofile(folder .. "report.lua")
