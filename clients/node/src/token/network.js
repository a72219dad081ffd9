// From where: sets of IP networks. The room must not know how an address was found out.

import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/** @typedef {[ipaddr.IPv4 | ipaddr.IPv6, number]} Network */

/**
 * Whether a text is an address, of no particular interface.
 *
 * @param {unknown} text
 * @returns {text is string}
 */
export function isAddress(text) {
  return typeof text === 'string' && isIP(text) !== 0 && !text.includes('%');
}

/**
 * An address; one of IPv4 that is written as IPv6 (`::ffff:10.1.2.3`) is one of IPv4.
 *
 * @param {unknown} text
 */
export function addressOf(text) {
  return isAddress(text) ? ipaddr.process(withoutDots(text)) : undefined;
}

/** `::10.1.2.3` is an address of IPv6 and of no IPv4, for which readers take it while it has dots. @param {string} text */
function withoutDots(text) {
  return isIP(text) === 6 ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
}

/**
 * @param {string} text
 * @returns {Network | undefined}
 */
function networkOf(text) {
  const [written = '', length] = text.split('/');
  const address = addressOf(written);
  if (address === undefined || (length !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(length))) return undefined;
  const bits = isIP(written) === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (text.split('/').length > 2 || prefix > bits) return undefined;
  // Of IPv4 that is written as IPv6 the first 96 bits are the same for all.
  const isMapped = bits === 128 && address.kind() === 'ipv4';
  if (!isMapped) return [address, prefix];
  return prefix >= 96 ? [address, prefix - 96] : [ipaddr.parse(withoutDots(written)), prefix];
}

/**
 * The networks of a list, if it is one. None is empty: "no limit" is its absence.
 *
 * @param {unknown} value
 * @returns {Network[] | undefined}
 */
export function readNetworks(value) {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const networks = value.map((entry) => (typeof entry === 'string' ? networkOf(entry) : undefined));
  return networks.every((network) => network !== undefined) ? networks : undefined;
}

/**
 * Whether the address is in one of them.
 *
 * @param {readonly Network[]} networks
 * @param {string} text
 */
export function contain(networks, text) {
  const address = addressOf(text);
  if (address === undefined) return false;
  return networks.some(([network, prefix]) => network.kind() === address.kind() && address.match(network, prefix));
}
