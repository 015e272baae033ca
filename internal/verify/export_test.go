package verify

// EndpointOwn is endpointOwn, for the tests.
var EndpointOwn = endpointOwn
