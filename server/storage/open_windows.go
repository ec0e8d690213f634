package storage

const openFlags = 0
