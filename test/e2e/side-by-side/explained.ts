interface Explained {
  readonly is: RegExp;
  readonly why: string;
}

/** Further differences from Docker 26.1, with which the test is run by hand. */
export const explainedOfNewer: readonly Explained[] = [
  { is: /\.DNSNames: there → missing$/, why: 'a field of 1.44, which only newer versions have' },
  { is: /\/info: RegistryConfig\.Mirrors: null → list$/, why: 'an empty list, as in other engines' },
  { is: /BuilderSize: missing → there$/, why: 'old versions have it, as engines of that time' },
  { is: /\/images\/\S+\/json: Container: missing → there$/, why: 'old versions have it, as engines of that time' },
  { is: /IPAM\.Config: null → list$/, why: 'an empty list, as in other engines' },
  { is: /\/info: Runtimes\.\S+\.status: there → missing$/, why: 'docs/reference/api.md: it is optional' },
  { is: /\/stats\S*: (name|id): missing → there$/, why: 'one-shot statistics, too, say whose they are' },
  {
    is: /\/stop\?signal=NOSUCH: (status: 304 → 400|header)/,
    why: 'a signal that nobody knows is refused in any state',
  },
  { is: /→ invalid CIDR address: x$/, why: 'the words of other engines' },
  { is: /\/images\/busybox\/tag: (status: 200 → 400|header)/, why: 'a tag without a repository is none' },
];

/** Differences from a stock dockerd 20.10 that are on purpose. A line is `REQUEST: WHAT: STOCK → CLEAT`. */
export const explained: readonly Explained[] = [
  { is: /: header (api-version|swarm|builder-version): /, why: 'what newer engines say of themselves' },
  { is: /^GET \S+\/nosuch: header /, why: 'every answer says which engine it is from, also that of no route' },
  { is: /\/attach(\?\S+)?: header /, why: 'an error of attach is an ordinary answer' },
  {
    is: /\/logs\?\S+: header content-type: undefined → /,
    why: 'the kind of stream is named in every version, as from 27 on',
  },
  { is: /engine has no swarm mode|\/swarm\/init .*(501|swarm mode)/, why: 'there is no swarm mode' },
  {
    is: /: status: 500 → (400|404|409)$/,
    why: 'a mistake of the client has a status of its own, as in newer engines',
  },
  { is: /: status: 201 → 400$/, why: 'what could never start is refused at create' },
  {
    is: /"Container":"idle"\}: (status|header)/,
    why: 'a container without a network is told at once that it gets none',
  },
  {
    is: /\/networks\/create \{"Name":"one"\}: status: 201 → 409$/,
    why: 'names of networks are unique, as from 1.44 on',
  },
  { is: /\{"Image":"busybox"\}: status: 400 → 201$/, why: 'busybox, as it is imported here, names a command' },
  { is: /PortBindings\.81\/tcp: null → list$/, why: 'a port without bindings gets an empty one, as in newer engines' },
  { is: /Config\.Env: null → list$/, why: 'busybox, as it is imported here, has an environment' },
  {
    is: /\/wait\?condition=nosuch: status: 200 → 400$/,
    why: 'a condition that nobody knows is refused, as in newer engines',
  },
  {
    is: /→ cannot kill container: runs: invalid signal: (-1|0|SIGNOSUCH)$/,
    why: 'the words are those of newer engines, of a signal',
  },
  { is: /→ invalid value for "until"/, why: 'the parameter that is wrong is named, as in newer engines, here too' },
  { is: /Config\.Cmd: null → list$/, why: 'busybox, as it is imported here, names a command' },
  { is: /KernelMemory(TCP)?: there → missing$/, why: 'no kernel has the limit; newer engines leave it out' },
  { is: /RepoDigests: null → list$/, why: 'an empty list, as in newer engines' },
  { is: /BuildCache: null → list$/, why: 'an empty list, as in newer engines' },
  { is: /GET \S+\/info: Warnings: null → list$/, why: 'an empty list, as in newer engines' },
  { is: /AllowNondistributableArtifacts\w+: list → null$/, why: 'it is gone in newer engines, which say null' },
  {
    is: /GET \S+\/info: (DefaultAddressPools|CDISpecDirs): missing → there$/,
    why: 'newer fields of info, which Docker adds in every version',
  },
  {
    is: /IPAM\.Config\[\]\.Gateway: missing → there$/,
    why: 'the gateway that was chosen is shown, as in newer engines',
  },
  { is: /\/networks\/none: IPAM\.Config: list → null$/, why: 'it has no configuration, as in newer engines' },
  { is: /os_type: missing → there$/, why: 'os_type is in every version, as in newer engines' },
  { is: /\/(idle|rich)\/changes: body: list → null$/, why: 'mount points are made when a container starts' },
  { is: /\/wait: Error: there → missing$/, why: 'no error is left out, as in newer engines' },
  { is: /message: no such image: \S+: .* → /, why: 'a message about an image names it once' },
  {
    is: /repository name \(library\/UPPER\) must be lowercase$/,
    why: 'the name that is wrong is shown, as in newer engines',
  },
  { is: /→ invalid value for "since"/, why: 'the parameter that is wrong is named, as in newer engines' },
  {
    is: /message: bad parameter: pathcannot be empty → bad parameter: path cannot be empty$/,
    why: 'a space was missing',
  },
  { is: /→ invalid filter( 'exited=x'.*)?$/, why: 'the filter that is wrong is named, as in newer engines' },
  {
    is: /message: no such container nosuch → No such container: nosuch$/,
    why: 'the words are those of every other request',
  },
  { is: /message: .*(json: |EOF).* → invalid JSON: /, why: 'it is said that the JSON is wrong, as in newer engines' },
  { is: /message: invalid name: → invalid name: name is empty$/, why: 'it is said why, as in newer engines' },
  { is: /message: Invalid subnet x : /, why: 'the words are those of newer engines' },
  { is: /message: Get "http:": http: no Host in request URL → /, why: 'nothing is asked for a URL that is not there' },
  { is: /→ invalid reference format: repository name is missing$/, why: 'it is said why the reference is wrong' },
  { is: /→ invalid restart policy: /, why: 'the policies that there are are named, as in newer engines' },
  {
    is: /→ invalid resize height "x": invalid syntax$/,
    why: 'the parameter that is wrong is named, as in newer engines',
  },
  { is: /→ cannot kill container: runs: invalid signal: NOSUCH$/, why: 'the container is named, as in newer engines' },
  { is: /→ unsupported Content-Type header/, why: 'the words are those of newer engines, of the header' },
  { is: /→ unknown or invalid runtime name: nosuch$/, why: 'the words are those of newer engines, of a runtime' },
  { is: /→ invalid isolation 'hyperv' on linux$/, why: 'the words are those of newer engines, of the isolation' },
  { is: /message: [Nn]o command specified → no image specified$/, why: 'the first thing that is missing is named' },
  {
    is: /→ error while removing network: network one has active endpoints/,
    why: 'the containers are named, as in newer engines',
  },
  {
    is: /\/images\/search\S+: (status: [45]00 → 501|message: .*→ invalid limit specified: .*|message: .*: use the web page of the registry)$/,
    why: 'no registry is searched',
  },
  { is: /\/auth \{.*: status: 500 → 503$/, why: 'a registry that does not answer is unavailable' },
  {
    is: /\/attach\/ws\S*: (header |message: not websocket protocol → )/,
    why: 'what is no WebSocket gets an ordinary answer',
  },
  { is: /\/push\S*: status: 400 → 200$/, why: 'a push needs no credentials, as in newer engines' },
  {
    is: /\/checkpoints.*: message: This experimental feature is disabled by default\. .* → /,
    why: 'there is no experimental mode',
  },
  { is: /→ cannot remove container "runs": /, why: 'the words are those of newer engines, of a removal' },
];
