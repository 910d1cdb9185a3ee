import type { ScriptedKind } from './kind.js';

/** Allows everything, as long as it behaves. */
export function authzKind(): ScriptedKind {
  return {
    capability: 'authz',
    errorKey: 'Err',
    methods: {
      'AuthZPlugin.AuthZReq': () => ({ Allow: true }),
      'AuthZPlugin.AuthZRes': () => ({ Allow: true }),
    },
  };
}
