/** Breakers and budgets as people write them → settings of a circuit of the core. Pure. */
import { checkNames, describe, wholeNumber } from '../intake/checks.ts';
import { Chance } from '../context/decisions.ts';
import { toMilliseconds } from '../intake/duration.ts';
import { ConfigurationError } from '../errors.ts';
import * as P from '../protocol.ts';
import type { BreakerOptions, CircuitOptions, RetryBudgetOptions } from './types.ts';

/** By `CircuitField`. */
export type Settings = readonly (readonly [field: number, value: number])[];

const breakerNames = ['failureRate', 'minCalls', 'openFor', 'openForMs', 'halfOpenMax', 'window'];
const longestMs = 1e12;
const mostCalls = 0xffffff;

function share(value: unknown, where: string): number {
  if (typeof value === 'number' && value > 0 && value <= 1) return value;
  throw new ConfigurationError(`${where} must be a number above 0, to 1, not ${describe(value)}.`);
}

function time(value: unknown, where: string): number {
  const ms = toMilliseconds(value as number, where);
  if (ms >= 1 && ms <= longestMs) return ms;
  throw new ConfigurationError(`${where} must be from 1 ms to ${longestMs} ms, not ${describe(value)}.`);
}

/** @throws ConfigurationError */
export function breakerSettings(options: BreakerOptions, where: string): Settings {
  checkNames(options, breakerNames, where);
  const { failureRate = 0.5, minCalls = 10, openFor, openForMs, halfOpenMax = 1, window = 60_000 } = options;
  if (openFor !== undefined && openForMs !== undefined) throw new ConfigurationError(`${where} has openFor and openForMs, which mean the same; give one of the two.`);
  return [
    [P.CircuitFieldFailureRate, share(failureRate, `${where}.failureRate`)],
    [P.CircuitFieldMinCalls, wholeNumber(minCalls, `${where}.minCalls`, 1, mostCalls)],
    [P.CircuitFieldOpenForMs, time(openFor ?? openForMs ?? 30_000, `${where}.openFor`)],
    [P.CircuitFieldHalfOpenMax, wholeNumber(halfOpenMax, `${where}.halfOpenMax`, 1, mostCalls)],
    [P.CircuitFieldWindowMs, time(window, `${where}.window`)],
  ];
}

/** @throws ConfigurationError */
export function budgetSettings(options: RetryBudgetOptions, where: string): Settings {
  checkNames(options, ['ratio', 'window'], where);
  return [
    [P.CircuitFieldRetryRatio, share(options.ratio, `${where}.ratio`)],
    [P.CircuitFieldRetryWindowMs, time(options.window ?? 10_000, `${where}.window`)],
  ];
}

export const circuitOptionNames = ['breaker', 'retryBudget'] as const;

/** As `checkEach` takes it. */
export const circuitChecks = {
  breaker: (value: unknown, where: string) => void breakerSettings(value as BreakerOptions, where),
  retryBudget: (value: unknown, where: string) => void budgetSettings(value as RetryBudgetOptions, where),
};

/** Everything, also what is switched off: the core may remember what another page said. undefined: there is no circuit. */
export function settingsOf({ breaker, retryBudget }: CircuitOptions, where: string): Settings | undefined {
  if (breaker === undefined && retryBudget === undefined) return undefined;
  return [
    ...(breaker ? breakerSettings(breaker, `${where} breaker`) : [[P.CircuitFieldFailureRate, 0] as const]),
    ...(retryBudget ? budgetSettings(retryBudget, `${where} retryBudget`) : [[P.CircuitFieldRetryRatio, 0] as const]),
  ];
}

/** The same in every page and tab, and no task's number. */
export function circuitNumber(kind: 'task' | 'queue', name: string): number {
  return (0x80000000 | (new Chance(`circuit\u0000${kind}\u0000${name}`).word() >>> 1)) >>> 0;
}
