---@meta

---Options of `app:tls`. Files and folders are below that of the app.
---@class rws.TlsOptions
---@field domains? string|string[] names of hosts, as `"example.com"`, `"*.example.com"` for one label more, or addresses. Without `cert` and `issuer` their certificates come by ACME, or from the local authority if all of them are localhost or below it, or in development without a `directory`
---@field issuer? "acme"|"local" who makes the certificates: an authority that is asked by ACME, or one of this app for development
---@field cert? string file with the certificate, and then those up to its authority, PEM. Default for `domains` are the names in it
---@field key? string file with its private key, PEM; may be the same
---@field client_ca? string|string[] files with the authorities that sign certificates of clients, PEM: asks for one
---@field client_crl? string|string[] files with their lists of revoked certificates; one that has run out lets nobody in
---@field client_auth? "require"|"optional" whether clients without a certificate get in; one that is not valid never does. Default require
---@field min? "1.2"|"1.3" oldest version of TLS. Default 1.2
---@field max? "1.2"|"1.3" newest version of TLS. Default 1.3
---@field email? string where the authority writes to
---@field directory? string|rws.TlsDirectory|(string|rws.TlsDirectory)[] the authorities by the URLs of their directories: the next is tried when one fails. Default Let's Encrypt, to whose terms you agree
---@field eab? rws.TlsEab binds the account at the one directory
---@field ca? string|string[] files with the authorities that the directories' own certificates are checked by, PEM; for one in your network. Default those of the system
---@field challenges? string|string[] how the authority sees that a domain is yours: `"tls-alpn-01"` on port 443, `"http-01"` on port 80 with `redirect`, `"dns-01"` with `dns`. Default is whatever is possible
---@field dns? rws.TlsDns functions that change the DNS; needed for `"*.example.com"`
---@field on_demand? rws.TlsOnDemand gets certificates for other names when a client first asks for them
---@field stapling? boolean fetches OCSP responses for certificates by ACME that name a responder; those in files and of the local authority get none. Default true
---@field storage? string folder for certificates, keys and accounts; servers may share it. Default .rws/certs, of the local authority .rws/ca
---@field redirect? string|string[] addresses, as `":80"`, that speak plain HTTP and send everybody to the same place at the first address of HTTPS (308); hosts that no certificate is for are refused (421), but not with on_demand; they answer `"http-01"` too

---An authority.
---@class rws.TlsDirectory
---@field url string of its directory
---@field eab? rws.TlsEab binds the account there

---Binds the account at an authority to one that you have there (external account binding).
---@class rws.TlsEab
---@field key_id string
---@field key string base64, as the authority shows it

---Functions that change the DNS. They get the zone, as `"example.com"`, the name of a TXT record in it, as
---`"_acme-challenge.www.example.com"`, and its value, and may wait. An error ends the attempt; there will be another.
---@class rws.TlsDns
---@field present fun(zone: string, name: string, value: string) adds the record, beside others of that name
---@field cleanup fun(zone: string, name: string, value: string) removes it
---@field zone? string the zone of all domains; default is found out by asking the DNS
---@field resolvers? string|string[] servers that have to know the record before the authority looks, as `"127.0.0.1:53"`; default those of the zone
---@field wait? rws.Duration how long they may take; `"0s"` does not look. Default 2m

---Certificates for names that the script does not know.
---@class rws.TlsOnDemand
---@field ask string|fun(name: string): boolean a function that returns true for a name that may have one, or a URL that answers `?domain=name` with status 200. It has 5 s; a name that was refused is not asked about for 30 s, and one that the authority gave no certificate for is not tried for 10 min. The client waits at most 10 s for its certificate, which is made nonetheless

---The TLS of a request.
---@class rws.Tls
---@field version "1.2"|"1.3"
---@field cipher string as `"TLS_AES_128_GCM_SHA256"`
---@field server_name string? the name that the client has asked for
---@field alpn string? the protocol they agreed on, as `"h2"`
---@field resumed boolean the client was here before
---@field client rws.TlsClient? its certificate, when `client_ca` asks for one and it is valid

---The certificate of a client.
---@class rws.TlsClient
---@field subject string as `"CN=ann,O=Example"`
---@field common_name string
---@field issuer string subject of who signed it
---@field dns_names string[]
---@field emails string[]
---@field ips string[]
---@field uris string[] as `"spiffe://example/web"`
---@field serial string in hexadecimal
---@field fingerprint string SHA-256 of the certificate, in hexadecimal
---@field not_before rws.Time
---@field not_after rws.Time
