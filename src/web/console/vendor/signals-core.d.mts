export interface ReadonlySignal<T> { readonly value: T; peek(): T; subscribe(callback: (value: T) => void): () => void }
export interface Signal<T> extends ReadonlySignal<T> { value: T }
export function signal<T>(value: T): Signal<T>;
export function computed<T>(make: () => T): ReadonlySignal<T>;
export function effect(callback: () => void | (() => void)): () => void;
export function batch<T>(callback: () => T): T;
export function untracked<T>(callback: () => T): T;
