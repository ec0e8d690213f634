package static

import (
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// clean turns the name of a request into one that [os.Root] takes, "." for the
// root. folder says that it was written with a final slash. ok is false for a
// name that must not reach the file system: an empty, "." or ".." segment, a
// backslash or control character, a dot file, and on Windows all that names a
// device, a drive or a stream there.
func clean(name string, dotFiles bool) (cleaned string, folder, ok bool) {
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		return ".", true, true
	}
	name, folder = strings.CutSuffix(name, "/")
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return "", false, false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if refused(segment, dotFiles, runtime.GOOS == "windows") {
			return "", false, false
		}
	}
	return name, folder, filepath.IsLocal(filepath.FromSlash(name))
}

// refused judges one segment of a name.
func refused(segment string, dotFiles, windows bool) bool {
	if segment == "" || segment == "." || segment == ".." {
		return true
	}
	if segment[0] == '.' && !dotFiles && segment != ".well-known" {
		return true
	}
	return windows && windowsRefuses(segment)
}

// windowsRefuses reports names that Windows takes for something else: "a.txt."
// and "a.txt " are a.txt, "a::$DATA" is the content of a, "c:x" is a drive,
// "con.txt" a device, "PROGRA~1" a short name that dodges name rules.
func windowsRefuses(segment string) bool {
	if strings.ContainsAny(segment, `:*?"<>|~`) || strings.TrimRight(segment, ". ") != segment {
		return true
	}
	base, _, _ := strings.Cut(segment, ".")
	base = strings.ToLower(strings.TrimRight(base, " "))
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	if port, ok := strings.CutPrefix(base, "com"); ok {
		return isPort(port)
	}
	port, ok := strings.CutPrefix(base, "lpt")
	return ok && isPort(port)
}

// isPort reports the digits of COM1 and LPT1; superscripts count on Windows.
func isPort(s string) bool {
	switch s {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}

// contentType gives the type for a file name. The table is our own, so that
// the answer is the same on every machine; what it does not know is sent as
// plain bytes.
func contentType(name string) string {
	ext := path.Ext(name)
	if t, ok := types[ext]; ok {
		return t
	}
	if t, ok := types[strings.ToLower(ext)]; ok {
		return t
	}
	return "application/octet-stream"
}

// types holds the types of the web (IANA names). Text that browsers show or
// run says utf-8; JSON is utf-8 by definition, XML says it itself.
var types = map[string]string{
	".aac":         "audio/aac",
	".apng":        "image/apng",
	".atom":        "application/atom+xml",
	".avif":        "image/avif",
	".bin":         "application/octet-stream",
	".bmp":         "image/bmp",
	".br":          "application/octet-stream",
	".cjs":         "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".csv":         "text/csv; charset=utf-8",
	".docx":        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".eot":         "application/vnd.ms-fontobject",
	".epub":        "application/epub+zip",
	".flac":        "audio/flac",
	".gif":         "image/gif",
	".glb":         "model/gltf-binary",
	".gz":          "application/gzip",
	".htm":         "text/html; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".ics":         "text/calendar; charset=utf-8",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".jsonld":      "application/ld+json",
	".jxl":         "image/jxl",
	".log":         "text/plain; charset=utf-8",
	".m3u8":        "application/vnd.apple.mpegurl",
	".m4a":         "audio/mp4",
	".map":         "application/json",
	".md":          "text/markdown; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".mov":         "video/quicktime",
	".mp3":         "audio/mpeg",
	".mp4":         "video/mp4",
	".mpd":         "application/dash+xml",
	".odt":         "application/vnd.oasis.opendocument.text",
	".ogg":         "audio/ogg",
	".ogv":         "video/ogg",
	".opus":        "audio/ogg",
	".otf":         "font/otf",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".pptx":        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".rss":         "application/rss+xml",
	".svg":         "image/svg+xml",
	".tar":         "application/x-tar",
	".tif":         "image/tiff",
	".tiff":        "image/tiff",
	".toml":        "application/toml",
	".ts":          "video/mp2t",
	".ttf":         "font/ttf",
	".txt":         "text/plain; charset=utf-8",
	".vtt":         "text/vtt; charset=utf-8",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".weba":        "audio/webm",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xhtml":       "application/xhtml+xml",
	".xlsx":        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml":         "application/xml",
	".yaml":        "application/yaml",
	".yml":         "application/yaml",
	".zip":         "application/zip",
	".zst":         "application/zstd",
}
