/** Policies: what a file says to a request, and why. The battery `authz-policy` enforces them; `cleat authz` explains them. */
export { type BrokerPolicy, brokerOf } from './policy/broker.js';
export type { GroupId } from './policy/callers.js';
export { type Decision, decide, type Step } from './policy/decide.js';
export { type Judge, type JudgeOptions, judgeOf, type PolicyForm, policyForms, spoken } from './policy/judge.js';
export { limitNames } from './policy/limits.js';
export { defaultOwnerLabel, type Policy, policyOf, type Rule } from './policy/policy.js';
export { callerNamed, messageFor, type PolicyTest } from './policy/policy-test.js';
export { Reader } from './policy/reader.js';
export { runTests, type TestResult } from './policy/run-tests.js';
export { proxyVariables, socketProxyOf } from './policy/socket-proxy.js';
