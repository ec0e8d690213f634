---@meta

---Options of `rws.markdown`.
---@class rws.MarkdownOptions
---@field unsafe? boolean leaves raw HTML and all links as they are; only for text that is as trusted as your
---  templates. Default false
---@field hard_wraps? boolean makes each line break of the text one of the page; default false
---@field max_size? rws.Size larger texts are an error (code `too_large`); default `"64kb"`

---Renders Markdown (CommonMark with tables, task lists, strikethrough and bare links of GitHub) to HTML.
---The HTML is safe to show, whoever wrote the text: scripts, event handlers, styles, odd links, ids and
---classes are taken out, and every element ends within the text. Headings have ids made of their text.
---A text that would take long, such as thousands of brackets that are not closed, is an error (code
---`too_complex`).
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
