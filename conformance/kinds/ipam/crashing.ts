import { formatBlock } from '@cleat/protocol/cidr';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { freshBlock } from '../../verify/blocks.js';
import { cases, type Need } from '../../verify/case.js';
import {
  addressed,
  addressReleased,
  addressRequest,
  anyPool,
  at,
  pooled,
  poolReleased,
  poolRequest,
  remembering,
  requestedAddress,
  requestedPool,
} from './steps.js';

const needs: readonly Need[] = ['changes', 'restart'];

/** Cases about what a plugin knows after it was killed. */
export const crashing = cases(
  ipamKind,
  {
    id: 'ipam/crash-keeps-pools',
    title: 'Killed and started again, it gives addresses of its pools, and takes them back',
    why: 'An engine does not ask for the pools of its networks anew: no container of them starts again.',
    needs,
    async run(trial) {
      await remembering(trial);
      const pool = await anyPool(trial);
      await trial.restart();
      await addressReleased(trial, pool, await addressed(trial, pool));
      await poolReleased(trial, pool);
    },
  },
  {
    id: 'ipam/crash-keeps-addresses',
    title: 'Killed and started again, it does not give again what it gave',
    why: 'Containers run on with their addresses meanwhile.',
    needs,
    async run(trial) {
      await remembering(trial);
      const pool = await anyPool(trial);
      const before = [await addressed(trial, pool), await addressed(trial, pool), await addressed(trial, pool)];
      await trial.restart();
      for (const _ of before) {
        const address = await addressed(trial, pool);
        trial.holds(!before.includes(address), `none of ${before.join(', ')}, which are given`);
      }
    },
  },
  {
    id: 'ipam/replay',
    title:
      'Told again after a restart what it has given, it gives that again or refuses in words, and nobody else gets it',
    why: 'Engines replay what is in use to a plugin that declares RequiresRequestReplay, and Cleat to one that seems to have forgotten.',
    needs,
    async run(trial) {
      const pool = await anyPool(trial);
      const address = await addressed(trial, pool);
      await trial.restart();
      const again = await trial.doesOrRefuses('RequestPool', await poolRequest(trial, formatBlock(pool.block)));
      if (again) trial.holds(again.PoolID === pool.id, `the same PoolID: ${pool.id}`);
      await trial.doesOrRefuses('RequestAddress', await addressRequest(trial, pool, address));
      const other = await addressed(trial, pool);
      trial.holds(other !== address, `another address than ${address}, which is in use`);
    },
  },
  {
    id: 'ipam/crash-keeps-releases',
    title: 'Killed and started again, it knows what was released',
    why: 'What is believed to be given is lost for ever: a network runs out of addresses, crash by crash.',
    needs,
    async run(trial) {
      await remembering(trial);
      const pool = await anyPool(trial);
      const address = await requestedAddress(trial, pool, at(pool, 77n));
      await addressReleased(trial, pool, address);
      const other = await requestedPool(trial, freshBlock(trial.session));
      await poolReleased(trial, other);
      await trial.restart();
      await addressed(trial, pool, address);
      await pooled(trial, await poolRequest(trial, formatBlock(other.block)));
    },
  },
  {
    id: 'ipam/crash-in-a-request',
    title: 'Killed in the middle of RequestAddress, it gives no address twice, and its pools are there',
    why: 'A half-written list of addresses is a plugin that no longer starts, with all networks of the host.',
    needs,
    async run(trial) {
      await remembering(trial);
      const pool = await anyPool(trial);
      const given: string[] = [];
      for (const ms of [0, 1, 3, 6]) {
        const asked = trial.ask('RequestAddress', await addressRequest(trial, pool));
        await new Promise((resolve) => setTimeout(resolve, ms));
        await trial.kill();
        const said = await asked;
        if (said.status === 200) given.push(trial.read('RequestAddress', said).Address.replace(/\/.*/, ''));
        await trial.start();
        const address = await addressed(trial, pool);
        trial.holds(!given.includes(address), `none of ${given.join(', ')}, which are given`);
        given.push(address);
      }
      for (const address of given) pool.given.add(address);
      await poolReleased(trial, await anyPool(trial));
    },
  },
);
