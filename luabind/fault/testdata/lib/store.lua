local store = {}

function store.load(id)
  local row = nil
  return row.name .. id
end

return store
