---@meta

---Counters, gauges and histograms of an app's own. `app:metrics` shows them to Prometheus, with those of the
---server: requests by route, the process, Go and Lua. They are kept when the script is loaded again.
---
---A name and the names of its labels are fixed by the first use. Each metric has 1000 combinations of label
---values at most; what comes beyond is not counted, and is logged once. So a label should not name single
---users or requests. Values longer than 128 bytes are cut.
---
---```lua
---app:post("/orders", function(c)
---  rws.metrics.counter("orders_total", { kind = "book" }):add()
---  return 201
---end)
---app:metrics("/metrics")
---
---app:test("orders are counted", function(t)
---  t:post("/orders")
---  t.ok(t:get("/metrics").body:find('orders_total{kind="book"} 1', 1, true))
---end)
---```
---@class rws.metrics
rws.metrics = {}

---Options of metrics.
---@class rws.MetricOptions
---@field help? string what it counts, for those who read it; that of the first use counts

---A counter, which only goes up.
---@param name string letters, digits and `_`, as `"orders_total"`
---@param labels? table<string, string|number|boolean> values by name
---@param options? rws.MetricOptions
---@return rws.Counter counter
function rws.metrics.counter(name, labels, options) end

---A gauge, which goes up and down.
---
---```lua
---local queue = rws.metrics.gauge("queue_length", nil, { help = "Orders that wait." })
---queue:set(7)
---queue:add(-1)
---```
---@param name string
---@param labels? table<string, string|number|boolean>
---@param options? rws.MetricOptions
---@return rws.Gauge gauge
function rws.metrics.gauge(name, labels, options) end

---Options of `rws.metrics.histogram`.
---@class rws.HistogramOptions
---@field help? string what it measures; that of the first use counts
---@field buckets? number[] upper bounds, ascending; default 0.005 to 10, which suit seconds

---A histogram, which counts how often values were below some bounds.
---
---```lua
---rws.metrics.histogram("upload_bytes", nil, { buckets = { 1e3, 1e6, 1e9 } }):observe(2048)
---```
---@param name string
---@param labels? table<string, string|number|boolean>
---@param options? rws.HistogramOptions
---@return rws.Histogram histogram
function rws.metrics.histogram(name, labels, options) end

---A number that only grows, as `rws.metrics.counter` makes it.
---@class rws.Counter
local counter = {}

---Counts.
---@param n? number not negative; default 1
function counter:add(n) end

---A number that goes up and down, as `rws.metrics.gauge` makes it.
---@class rws.Gauge
local gauge = {}

---Sets the value.
---@param to number
function gauge:set(to) end

---Adds to the value.
---@param n? number may be negative; default 1
function gauge:add(n) end

---Numbers counted by how large they are, as `rws.metrics.histogram` makes it.
---@class rws.Histogram
local histogram = {}

---Counts a value: seconds, if it is a time.
---@param value number
function histogram:observe(value) end
