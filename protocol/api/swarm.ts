/** Begins as Docker's text for a node that is in no swarm, which clients look for; its advice would lead nowhere. */
export const notManager = 'This node is not a swarm manager. This engine has no swarm mode.';
