---@meta

---Options of `rws.markdown`.
---@class rws.MarkdownOptions
---@field unsafe? boolean leaves raw HTML and all links as they are; only for text that is as trusted as your
---  templates. Default false
---@field hard_wraps? boolean makes each line break of the text one of the page; default false
---@field max_size? rws.Size larger texts are an error (code `too_large`); default `"64kb"`. Text that is made
---  to be slow takes a time that grows with the square of its size: 2 s for 64 KB

---Renders Markdown (CommonMark with tables, task lists, strikethrough and bare links of GitHub) to HTML.
---The HTML is safe to show, whoever wrote the text: scripts, event handlers, styles and odd links are
---taken out. Headings have ids made of their text.
---
---```lua
---assert(rws.markdown("Hi *there*") == "<p>Hi <em>there</em></p>\n")
---assert(not rws.markdown("<script>alert(1)</script>"):find("script"))
---```
---@async
---@param text string
---@param options? rws.MarkdownOptions
---@return string html
---@nodiscard
function rws.markdown(text, options) end
