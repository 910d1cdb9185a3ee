import { formatBlock, overlaps, parseCidr } from '@cleat/protocol/cidr';
import { ipamKind, ipamOption } from '@cleat/protocol/kinds/ipam';
import { freshBlock, freshBlockSix, isCidr } from '../../verify/blocks.js';
import { cases, type Need } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import {
  addressed,
  addressRequest,
  anyPool,
  at,
  capabilities,
  type IpamTrial,
  type Pool,
  pooled,
  pooledUnlessRefused,
  poolReleased,
  poolRequest,
  requestedPool,
} from './steps.js';

const needs: readonly Need[] = ['changes'];

/** RequestPool and ReleasePool. */
export const pools = cases(
  ipamKind,
  {
    id: 'ipam/pool',
    title: 'A pool is given without a request for one and taken back, or refused in words',
    why: '`docker network create` without `--subnet`.',
    needs,
    async run(trial) {
      const pool = await pooledUnlessRefused(trial, await poolRequest(trial, ''));
      if (pool === undefined) return;
      trial.holds(pool.id !== '', 'a PoolID: it stands for the pool in all further calls');
      await poolReleased(trial, pool);
    },
  },
  {
    id: 'ipam/pool-requested',
    title: 'The pool that a user requests is given as it is, or refused in words',
    why: '`docker network create --subnet`: another subnet than the one that was asked for would go unnoticed.',
    needs,
    async run(trial) {
      const requested = freshBlock(trial.session);
      const pool = await pooledUnlessRefused(trial, await poolRequest(trial, requested));
      trial.holds(pool === undefined || formatBlock(pool.block) === requested, `the pool ${requested}`);
    },
  },
  {
    id: 'ipam/pool-again',
    title: 'A pool that was released can be had again',
    why: '`docker compose down` and `up` ask for the same subnet each time.',
    needs,
    async run(trial) {
      const requested = freshBlock(trial.session);
      await poolReleased(trial, await requestedPool(trial, requested));
      await poolReleased(trial, await pooled(trial, await poolRequest(trial, requested)));
    },
  },
  {
    id: 'ipam/pools-differ',
    title: 'Pools without a request for one do not overlap',
    why: 'Where a pool is in use on the host already, dockerd asks for another one, until it gets one: a plugin that gives the same again makes `docker network create` hang.',
    weight: 'should',
    needs,
    async run(trial) {
      const first = await chosenPool(trial);
      const second = await chosenPool(trial);
      trial.holds(!overlaps(first.block, second.block), `another pool than ${formatBlock(first.block)}`);
    },
  },
  {
    id: 'ipam/networks',
    title: 'A plugin that declares KnowsNetworks gives pools with a network’s description, and without one',
    why: 'Cleat tells it which network a pool is for; a stock dockerd does not.',
    needs,
    async run(trial) {
      const { KnowsNetworks } = await capabilities(trial);
      if (!KnowsNetworks) throw new Inapplicable('it does not declare KnowsNetworks');
      const network = JSON.stringify({ Name: trial.fresh(), Driver: 'macvlan', Options: {} });
      const described = { Options: { [ipamOption.network]: network } };
      // Some choose the pool themselves, always.
      const requested = await pooledUnlessRefused(
        trial,
        await poolRequest(trial, freshBlock(trial.session), described),
      );
      if (!requested) await pooled(trial, await poolRequest(trial, '', described));
      await pooled(trial, await poolRequest(trial, requested ? freshBlock(trial.session) : ''));
    },
  },
  {
    id: 'ipam/pools-overlapping',
    title: 'A pool that overlaps one that is given is refused in words',
    why: 'Two networks would have the same addresses, and the host one route to both.',
    weight: 'should',
    needs,
    async run(trial) {
      const requested = freshBlock(trial.session);
      await requestedPool(trial, requested);
      const second = await pooledUnlessRefused(trial, await poolRequest(trial, requested.replace('/24', '/25')));
      trial.holds(second === undefined, 'a refusal: it overlaps the first one');
    },
  },
  {
    id: 'ipam/pools-at-once',
    title: 'Pools that are asked for at once do not overlap',
    why: 'Compose makes all networks of a project in parallel.',
    weight: 'should',
    needs,
    async run(trial) {
      const all = await Promise.all(Array.from({ length: 6 }, () => chosenPool(trial)));
      for (const [at, { block }] of all.entries()) {
        const other = all.slice(0, at).find((before) => overlaps(before.block, block));
        const found = other && `${formatBlock(block)} overlaps ${formatBlock(other.block)}`;
        trial.holds(other === undefined, 'six pools', undefined, found);
      }
    },
  },
  {
    id: 'ipam/sub-pool',
    title: 'Addresses are chosen from the part of the pool that a user names, or that is refused in words',
    why: '`docker network create --ip-range`: the rest belongs to somebody else, such as a DHCP server.',
    needs,
    async run(trial) {
      const requested = freshBlock(trial.session);
      const range = requested.replace('.0/24', '.128/28');
      const pool = await pooledUnlessRefused(trial, await poolRequest(trial, requested, { SubPool: range }));
      if (pool === undefined) return;
      for (let count = 0; count < 3; count++) {
        const address = await addressed(trial, pool);
        const inside = overlaps(parseCidr(range).block, parseCidr(`${address}/32`).block);
        trial.holds(inside, `an address of ${range}`);
      }
    },
  },
  {
    id: 'ipam/pool-six',
    title: 'A pool for IPv6 is one of IPv6, or is refused in words',
    why: '`docker network create --ipv6` asks for both kinds.',
    needs,
    async run(trial) {
      const request = await poolRequest(trial, freshBlockSix(trial.session), { V6: true });
      const pool = await pooledUnlessRefused(trial, request);
      if (pool === undefined) return;
      trial.holds(pool.block.family === 6, 'a pool of IPv6');
      const address = await addressed(trial, pool);
      trial.holds(address.includes(':'), 'an address of IPv6');
    },
  },
  {
    id: 'ipam/pool-gateway',
    title: 'A gateway that RequestPool answers is an address with its mask',
    why: 'dockerd reads `com.docker.network.gateway` in Data as CIDR, and makes no network otherwise.',
    needs,
    async run(trial) {
      const { data } = await anyPool(trial);
      const gateway = data[ipamOption.gatewayType];
      trial.holds(gateway === undefined || isCidr(gateway), 'a gateway such as 10.0.0.1/24, or none');
    },
  },
  {
    id: 'ipam/release-unknown',
    title: 'A release that is repeated, or of what is not there, does no harm',
    why: 'An engine that was killed, or got no answer, releases what it cannot know to be free.',
    needs,
    async run(trial) {
      const going = await anyPool(trial);
      await poolReleased(trial, going);
      const staying = await anyPool(trial);
      const kept = await addressed(trial, staying);
      if (going.id !== staying.id) {
        await trial.answers('ReleasePool', { PoolID: going.id });
        await trial.answers('ReleaseAddress', { PoolID: going.id, Address: at(going, 5n) });
      }
      await trial.answers('ReleasePool', { PoolID: trial.fresh() });
      const next = await addressed(trial, staying);
      trial.holds(next !== kept, `another address than ${kept}, which is given`);
    },
  },
  {
    id: 'ipam/pool-unknown',
    title: 'An address of a pool that is not there is refused in words',
    why: 'After a plugin lost its pools, containers would get addresses that nobody routes.',
    weight: 'should',
    needs,
    async run(trial) {
      const pool: Pool = { ...(await anyPool(trial)), id: trial.fresh(), released: true };
      await trial.refuses(
        'RequestAddress',
        await addressRequest(trial, pool),
        'a pool that does not exist to be refused',
      );
    },
  },
  {
    id: 'ipam/avoids-blocks-in-use',
    title: 'A plugin that declares AvoidsBlocksInUse chooses a pool that is not in use on the host',
    why: 'Cleat tells those that ask for it what the host’s interfaces and routes have.',
    needs,
    async run(trial) {
      const { AvoidsBlocksInUse } = await capabilities(trial);
      if (!AvoidsBlocksInUse) throw new Inapplicable('it does not declare AvoidsBlocksInUse');
      const first = await pooled(trial, await poolRequest(trial, ''));
      await poolReleased(trial, first);
      const Options = { [ipamOption.inUse]: formatBlock(first.block) };
      const second = await pooled(trial, await poolRequest(trial, '', { Options }));
      trial.holds(!overlaps(first.block, second.block), `another pool than ${formatBlock(first.block)}`);
    },
  },
);

/**
 * A pool of the plugin's own choice.
 * @throws Inapplicable where it chooses none, a stand-in for all addresses, or one of a network that is there already
 */
async function chosenPool(trial: IpamTrial): Promise<Pool> {
  const spaces = await trial.succeeds('GetDefaultAddressSpaces', {}, 'its address spaces');
  if (spaces.LocalDefaultAddressSpace === spaces.GlobalDefaultAddressSpace) {
    throw new Inapplicable(
      'it has one address space for both scopes: engines do not look whether its pools are in use',
    );
  }
  const pool = await pooledUnlessRefused(trial, await poolRequest(trial, ''));
  if (pool === undefined) throw new Inapplicable('it chooses no pools');
  if (pool.block.prefix === 0) throw new Inapplicable('its pools stand for all addresses');
  return pool;
}
