/**
 * Every query parameter of moby's `api/docs/v1.25.yaml` to `v1.56`, and of the older pages where it has one more. A line
 * is a request and its parameters.
 */
export const documentedParameters = `
POST /build buildargs cachefrom cpuperiod cpuquota cpusetcpus cpushares dockerfile extrahosts forcerm labels memory memswap networkmode nocache outputs platform pull q remote rm shmsize squash t target version
POST /build/prune all filters keep-storage max-used-space min-free-space reserved-space
POST /commit author changes comment container pause repo tag
POST /containers/create name platform
GET /containers/json all filters limit size
POST /containers/prune filters
DELETE /containers/{id} force link v
GET /containers/{id}/archive path
HEAD /containers/{id}/archive path
PUT /containers/{id}/archive copyUIDGID noOverwriteDirNonDir path
POST /containers/{id}/attach detachKeys logs stderr stdin stdout stream
GET /containers/{id}/attach/ws detachKeys logs stderr stdin stdout stream
GET /containers/{id}/json size
POST /containers/{id}/kill signal
GET /containers/{id}/logs details follow since stderr stdout tail timestamps until
POST /containers/{id}/rename name
POST /containers/{id}/resize h w
POST /containers/{id}/restart signal t
POST /containers/{id}/start detachKeys
GET /containers/{id}/stats one-shot stream
POST /containers/{id}/stop signal t
GET /containers/{id}/top ps_args
POST /containers/{id}/wait condition
GET /events filters since until
POST /exec/{id}/resize h w
POST /images/create changes fromImage fromSrc message platform repo tag
GET /images/get names platform
GET /images/json all digests filters identity manifests shared-size
POST /images/load platform quiet
POST /images/prune filters
GET /images/search filters limit term
DELETE /images/{name} force noprune platforms
GET /images/{name}/get platform
GET /images/{name}/attestations platform statement type
GET /images/{name}/history platform
GET /images/{name}/json manifests platform
POST /images/{name}/push platform tag
POST /images/{name}/tag repo tag
GET /networks filters
POST /networks/prune filters
GET /networks/{id} scope verbose
GET /plugins filters
POST /plugins/create name
GET /plugins/privileges name remote
POST /plugins/pull name remote
DELETE /plugins/{name} force
POST /plugins/{name}/disable force
POST /plugins/{name}/enable timeout
POST /plugins/{name}/upgrade remote
GET /system/df type verbose
GET /volumes filters
POST /volumes/prune filters
DELETE /volumes/{name} force
PUT /volumes/{name} version
GET /containers/json before since
GET /images/json filter
POST /containers/{id}/start checkpoint checkpoint-dir
POST /images/{name}/tag force
`;
