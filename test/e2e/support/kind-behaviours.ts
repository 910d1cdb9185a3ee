import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type KindLabel, kindOf } from '@cleat/protocol/kinds/index';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { Behaviour, Body } from './recording-plugin.js';
import { ScriptedNetworkPlugin } from './scripted-network.js';
import { ScriptedVolumePlugin } from './scripted-volume.js';

/** The behaviour of a kind's plugin in the drawings of the kind's page. */
export interface KindBehaviour extends AsyncDisposable {
  behaviour: Behaviour;
  /** In whose network namespace it makes interfaces. */
  serves(daemonPid: number): void;
}

const simple = (capability: string, behaviour: Behaviour): KindBehaviour => ({
  behaviour: (call, body) => (call === 'Plugin.Activate' ? { Implements: [capability] } : behaviour(call, body)),
  serves() {},
  async [Symbol.asyncDispose]() {},
});

/** Volumes are directories. */
function volumes(scratch: string): KindBehaviour {
  const plugin = new ScriptedVolumePlugin(join(scratch, 'volumes.sock'), join(scratch, 'volumes'));
  plugin.clear();
  return {
    behaviour: (call, body) =>
      call === 'VolumeDriver.Create' && body.Name === undefined
        ? 'which volume?'
        : plugin.usual(call.replace('VolumeDriver.', ''), body),
    serves() {},
    [Symbol.asyncDispose]: () => plugin[Symbol.asyncDispose](),
  };
}

/** Networks of interfaces that lead nowhere, addresses of `10.66.0.0/16`; a network's option `gateway` is answered to Join. */
function networks(scratch: string, capability: string): KindBehaviour {
  const tag = `k${(process.pid % 1000).toString().padStart(3, '0')}${scratch.slice(-2)}`;
  const plugin = new ScriptedNetworkPlugin(join(scratch, 'networks.sock'), tag, '10.66');
  const gateways = new Map<unknown, string | undefined>();
  const behaviour = async (call: string, body: Body): Promise<Body> => {
    if (call === 'Plugin.Activate') return { Implements: [capability] };
    const { [netlabel.generic]: generic } = (body.Options ?? {}) as { [netlabel.generic]?: { gateway?: string } };
    if (call === 'NetworkDriver.CreateNetwork') gateways.set(body.NetworkID, generic?.gateway);
    const answer = await plugin.usual(call, body);
    const Gateway = call === 'NetworkDriver.Join' ? gateways.get(body.NetworkID) : undefined;
    return Gateway === undefined ? answer : { ...answer, Gateway };
  };
  return {
    behaviour: (call, body) => behaviour(call, body).catch(String),
    serves: (daemonPid) => plugin.serves(daemonPid),
    [Symbol.asyncDispose]: () => plugin[Symbol.asyncDispose](),
  };
}

/** Reads what it is given, and keeps nothing. */
function logs(call: string, body: Body): Body | undefined {
  if (call === 'LogDriver.StartLogging')
    createReadStream(String(body.File))
      .resume()
      .on('error', () => {});
  if (call === 'LogDriver.ReadLogs') return undefined;
  return call === 'LogDriver.Capabilities' ? { Cap: { ReadLogs: true } } : {};
}

type Made = (scratch: string, capability: string) => KindBehaviour;

/** Behaviours of the kinds whose plugins answer more than `{}`. */
const special: Partial<Record<KindLabel, Made>> = {
  volume: volumes,
  network: networks,
  ipam: networks,
  log: (_, capability) => simple(capability, logs),
  authz: (_, capability) => simple(capability, () => ({ Allow: true })),
  builder: (_, capability) => simple(capability, builds),
  hook: (_, capability) => simple(capability, hooks),
  secret: (_, capability) => simple(capability, () => ({ Value: Buffer.from('open sesame').toString('base64') })),
};

/** Labels what is made. */
function hooks(call: string): Body {
  if (call === 'RequestHook.Capabilities') return { Request: 'body', Response: 'body' };
  return call === 'RequestHook.Request' ? { Set: [{ Path: 'Body.Labels.owner', Value: 'root' }] } : {};
}

/** Answers every build with the image that is called busybox. */
async function builds(call: string, body: Body): Promise<Body | undefined> {
  if (call === 'ImageBuilder.DiskUsage') return { Records: [] };
  if (call !== 'ImageBuilder.Build') return {};
  const asked = get({ socketPath: String(body.Engine), path: '/images/busybox/json' });
  const [answer] = (await once(asked, 'response')) as [AsyncIterable<Buffer>];
  const { Id } = JSON.parse(Buffer.concat(await Readable.from(answer).toArray()).toString()) as { Id: string };
  return { Result: { Image: Id } };
}

/** @param scratch a directory of its own */
export function behaviourOf(label: KindLabel, scratch: string): KindBehaviour {
  const capability = kindOf(label).name;
  return special[label]?.(scratch, capability) ?? simple(capability, () => ({}));
}
