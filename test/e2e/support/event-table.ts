/**
 * The events of moby's newest source (`daemon/events.go` and the callers of its Log…Event, `daemon/monitor.go`,
 * `daemon/builder/backend`, `api/types/events`), by type and action, with the attributes of each besides labels.
 */
const container = ['image', 'name'];
const exec = [...container, 'execID'];
const network = ['name', 'type'];
const image = ['name'];
const plugin = ['name'];

export const eventTable: Readonly<Record<string, readonly string[]>> = {
  'builder prune': ['reclaimed'],
  'container archive-path': container,
  'container attach': container,
  'container commit': [...container, 'comment', 'imageID', 'imageRef'],
  'container create': container,
  'container destroy': container,
  'container detach': container,
  'container die': [...container, 'execDuration', 'exitCode'],
  'container exec_create': exec,
  'container exec_detach': exec,
  'container exec_die': [...exec, 'exitCode'],
  'container exec_start': exec,
  'container export': container,
  'container extract-to-dir': container,
  'container health_status': container,
  'container kill': [...container, 'signal'],
  'container oom': container,
  'container pause': container,
  'container prune': ['reclaimed'],
  'container rename': [...container, 'oldName'],
  'container resize': [...container, 'height', 'width'],
  'container restart': container,
  'container start': container,
  'container stop': container,
  'container top': container,
  'container unpause': container,
  'container update': container,
  // With the keys of daemon.json that SIGHUP applies again.
  'daemon reload': ['name', '…'],
  'image create': image,
  'image delete': image,
  'image import': image,
  'image load': image,
  'image prune': ['reclaimed'],
  'image pull': image,
  'image push': image,
  'image save': image,
  'image tag': image,
  'image untag': image,
  'network connect': [...network, 'container'],
  'network create': network,
  'network destroy': network,
  'network disconnect': [...network, 'container'],
  'network prune': ['reclaimed'],
  'plugin create': plugin,
  'plugin disable': plugin,
  'plugin enable': plugin,
  'plugin pull': plugin,
  'plugin push': plugin,
  'plugin remove': plugin,
  'volume create': ['driver'],
  'volume destroy': ['driver'],
  'volume mount': ['container', 'destination', 'driver', 'propagation', 'read/write'],
  'volume prune': ['reclaimed'],
  'volume unmount': ['container', 'driver'],
};

/*
 * moby has these besides: `container checkpoint` (experimental; the API refuses checkpoints here), `container copy`
 * (Windows), and those of services, nodes, secrets, configs, and `remove` and `update` of networks (Swarm).
 */
