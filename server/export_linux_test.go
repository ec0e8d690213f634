package server

// LeastLimit lets tests read the limits of made-up cgroups.
var LeastLimit = leastLimit
