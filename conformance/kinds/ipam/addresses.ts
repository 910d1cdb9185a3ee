import { contains, formatAddress, formatBlock, lastOf, parseAddress, sizeOf } from '@cleat/protocol/cidr';
import { ipamKind, ipamOption } from '@cleat/protocol/kinds/ipam';
import { freshBlock } from '../../verify/blocks.js';
import { cases, type Need } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import {
  addressed,
  addressedUnlessRefused,
  addressReleased,
  addressRequest,
  anyPool,
  at,
  capabilities,
  forGateway,
  type IpamTrial,
  type Pool,
  pooled,
  pooledUnlessRefused,
  poolReleased,
  poolRequest,
  requestedAddress,
  requestedPool,
} from './steps.js';

const needs: readonly Need[] = ['changes'];
/** Bits of a pool that is soon exhausted. */
const smallBits = 29;

/** RequestAddress and ReleaseAddress. */
export const addresses = cases(
  ipamKind,
  {
    id: 'ipam/address',
    title: 'Addresses are of their pool',
    why: 'The container would have an address that its network does not route.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      for (let count = 0; count < 3; count++) {
        const address = await addressed(trial, pool);
        trial.holds(contains(pool.block, parseAddress(address)), `an address of ${formatBlock(pool.block)}`);
      }
    },
  },
  {
    id: 'ipam/address-mask',
    title: 'Addresses have the mask of their pool',
    why: 'The engine sets it as it is: with a longer one the container does not find its neighbours by itself.',
    weight: 'should',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      await addressed(trial, pool);
      const { Address } = await trial.succeeds('RequestAddress', await addressRequest(trial, pool), 'an address');
      pool.given.add(Address.replace(/\/.*/, ''));
      trial.holds(Address.endsWith(`/${pool.block.prefix}`), `an address with the mask /${pool.block.prefix}`);
    },
  },
  {
    id: 'ipam/address-options-null',
    title: 'Options of RequestAddress may be null or missing',
    why: 'dockerd sends null for each `--aux-address`.',
    needs,
    async run(trial) {
      const { RequiresMACAddress } = await capabilities(trial);
      if (RequiresMACAddress) throw new Inapplicable('it declares RequiresMACAddress');
      const pool = await anyPool(trial);
      await addressed(trial, pool);
      for (const Options of [null, undefined]) {
        const request = { PoolID: pool.id, Address: '', Options };
        const { Address } = await trial.succeeds('RequestAddress', request, 'an address');
        pool.given.add(Address.replace(/\/.*/, ''));
      }
    },
  },
  {
    id: 'ipam/address-requested',
    title: 'The address that a user requests is given as it is, or refused in words',
    why: '`docker run --ip`: another address than the one that was asked for would go unnoticed.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const requested = at(pool, 77n);
      const address = await addressedUnlessRefused(trial, pool, requested);
      trial.holds(address === undefined || address === requested, `the address ${requested}`);
    },
  },
  {
    id: 'ipam/address-taken',
    title: 'An address that was requested is nobody else’s',
    why: 'Of two containers with one address, each gets half of the packets.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      // A plugin that does not write requests down gives the next address again.
      const probe = await addressed(trial, pool);
      await addressReleased(trial, pool, probe);
      const taken = await requestedAddress(trial, pool, probe);
      for (let count = 0; count < 3; count++) {
        trial.holds((await addressed(trial, pool)) !== taken, `another address than ${taken}, which is given`);
      }
    },
  },
  {
    id: 'ipam/address-twice',
    title: 'An address that is given is refused in words to somebody else who requests it',
    why: 'Of two containers with one address, each gets half of the packets.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const chosen = await addressed(trial, pool);
      const requested = await addressedUnlessRefused(trial, pool, at(pool, 77n));
      for (const taken of [chosen, ...(requested === undefined ? [] : [requested])]) {
        const again = await addressRequest(trial, pool, taken);
        await trial.refuses('RequestAddress', again, `${taken}, which is given, to be refused`);
      }
    },
  },
  {
    id: 'ipam/gateway',
    title: 'The gateway gets an address of the pool, and no container gets the same',
    why: 'dockerd asks for it when a network is made, with RequestAddressType; a container with the gateway’s address cuts off all others.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const gateway = await addressed(trial, pool, '', forGateway);
      trial.holds(contains(pool.block, parseAddress(gateway)), `an address of ${formatBlock(pool.block)}`);
      for (let count = 0; count < 3; count++) {
        trial.holds((await addressed(trial, pool)) !== gateway, `another address than ${gateway}, the gateway’s`);
      }
    },
  },
  {
    id: 'ipam/gateway-requested',
    title: 'The gateway that a user requests is given as it is, or refused in words',
    why: '`docker network create --gateway` names the router that is there.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const requested = at(pool, sizeOf(pool.block) - 2n);
      const gateway = await addressedUnlessRefused(trial, pool, requested, forGateway);
      trial.holds(gateway === undefined || gateway === requested, `the address ${requested}`);
    },
  },
  {
    id: 'ipam/addresses-at-once',
    title: 'Twenty containers that start at once get twenty addresses',
    why: 'After a boot they all come together; a list that is read, changed and written without a turn gives one address twice.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const all = await Promise.all(Array.from({ length: 20 }, () => addressed(trial, pool)));
      trial.holds(new Set(all).size === all.length, 'twenty addresses', undefined, `they are ${all.join(', ')}`);
    },
  },
  {
    id: 'ipam/address-released',
    title: 'An address that was released can be had again',
    why: '`docker run --ip` of a container that is made anew.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const requested = await requestedAddress(trial, pool, at(pool, 77n));
      await addressReleased(trial, pool, requested);
      trial.holds((await addressed(trial, pool, requested)) === requested, `the address ${requested}`);
    },
  },
  {
    id: 'ipam/release-again',
    title: 'A ReleaseAddress that is repeated takes nothing from anybody',
    why: 'After its own restart an engine repeats what it does not know to be done.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const kept = await addressed(trial, pool);
      const going = await addressed(trial, pool);
      await addressReleased(trial, pool, going);
      await trial.answers('ReleaseAddress', { PoolID: pool.id, Address: going });
      for (let count = 0; count < 3; count++) {
        trial.holds((await addressed(trial, pool)) !== kept, `another address than ${kept}, which is given`);
      }
    },
  },
  {
    id: 'ipam/edges',
    title: 'A pool’s first and last address are nobody’s',
    why: 'They are those of the network itself and of the broadcast; a container with one of them is not reached.',
    needs,
    async run(trial) {
      const pool = await smallPool(trial);
      const all = await exhausted(trial, pool);
      for (const edge of [at(pool, 0n), formatAddress(lastOf(pool.block))]) {
        trial.holds(!all.includes(edge), `no container to get ${edge}`, undefined, `they got ${all.join(', ')}`);
      }
    },
  },
  {
    id: 'ipam/exhausted',
    title: 'A pool that is exhausted says so in words',
    why: '`docker run` shows the words to its user, who then removes a container and tries again.',
    needs,
    async run(trial) {
      const pool = await smallPool(trial);
      await exhausted(trial, pool);
      await trial.refuses('RequestAddress', await addressRequest(trial, pool), 'a refusal: all are given');
    },
  },
  {
    id: 'ipam/two-pools',
    title: 'A pool that is released leaves the addresses of another one alone',
    why: 'A network is removed while containers run on others.',
    needs,
    async run(trial) {
      const going = await anyPool(trial);
      const staying = await anyPool(trial);
      if (going.id === staying.id) throw new Inapplicable('it has one pool for all');
      const kept = await addressed(trial, staying);
      await poolReleased(trial, going);
      for (let count = 0; count < 3; count++) {
        trial.holds((await addressed(trial, staying)) !== kept, `another address than ${kept}, which is given`);
      }
    },
  },
  {
    id: 'ipam/holders',
    title: 'A plugin that declares KnowsHolders gives back what a holder has, and nobody else’s',
    why: 'Cleat, when it was killed before the answer came, releases by the holder what it never learnt.',
    needs,
    async run(trial) {
      const { KnowsHolders } = await capabilities(trial);
      if (!KnowsHolders) throw new Inapplicable('it does not declare KnowsHolders');
      const network = { [ipamOption.holder]: trial.freshId() };
      const [mine, other] = [endpointOptions(trial), endpointOptions(trial)];
      const requested = freshBlock(trial.session);
      const chosen = await pooledUnlessRefused(trial, await poolRequest(trial, requested, { Options: network }));
      const pool = chosen ?? (await pooled(trial, await poolRequest(trial, '', { Options: network })));
      const going = await addressed(trial, pool, chosen ? at(pool, 77n) : '', mine);
      const kept = await addressed(trial, pool, chosen ? at(pool, 78n) : '', other);
      const Options = { [ipamOption.holder]: mine[ipamOption.holder] ?? '' };
      await trial.succeeds('ReleaseAddress', { PoolID: pool.id, Address: '', Options }, 'what it has to be freed');
      await addressed(trial, pool, going, endpointOptions(trial));
      const again = await addressRequest(trial, pool, kept, endpointOptions(trial));
      await trial.refuses('RequestAddress', again, 'the other one to keep its own');
      await trial.succeeds('ReleasePool', { PoolID: '', Options: network }, 'the pool that it has to be freed');
      await poolReleased(trial, await pooled(trial, await poolRequest(trial, chosen ? requested : '')));
      pool.released = true;
    },
  },
);

/** Options of the request for a container's address, as Cleat sends them to a plugin that knows holders. */
const endpointOptions = (trial: IpamTrial): Record<string, string> => ({
  [ipamOption.endpointName]: trial.fresh(),
  [ipamOption.holder]: trial.freshId(),
});

const smallPool = async (trial: IpamTrial): Promise<Pool> =>
  await requestedPool(trial, freshBlock(trial.session).replace('/24', `/${smallBits}`));

/** Takes all that there is. @returns the addresses */
async function exhausted(trial: IpamTrial, pool: Pool): Promise<string[]> {
  const all: string[] = [];
  while (all.length < 2 ** (32 - smallBits)) {
    const address = await addressedUnlessRefused(trial, pool);
    if (address === undefined) return all;
    trial.holds(!all.includes(address), `another address than ${address}, which is given`);
    all.push(address);
  }
  return all;
}
