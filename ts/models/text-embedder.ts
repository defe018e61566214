/**
 * Texts to vectors.
 * @module
 */
import { native } from '../native.js'
import type { NativeEmbedderOptions, NativeTextEmbedder } from '../native-models.js'
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from '../options.js'
import type { Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'
import { CALL_OPTIONS, callModel, checkCallOptions, listsOf, type ModelCallOptions } from './calls.js'
import { type ModelSource, resolveModel, SOURCE_OPTIONS } from './hub.js'

/** What {@link TextEmbedder.load} is told; what is left out is as the model's files say. */
export interface TextEmbedderOptions extends Pick<ModelCallOptions, 'signal'>, ModelSource {
  /** What of a text's states makes its vector: the mean of all tokens', or the first one's. */
  pooling?: 'mean' | 'cls'
  /** Whether vectors are divided by their norm. */
  normalize?: boolean
  /** The most tokens of a text that are used, the marks of begin and end included; at most the model's positions. */
  maxTokens?: number
}

/**
 * A sentence embedder of BERT's family (`model_type` bert, roberta, xlm-roberta, camembert or distilbert) from a local folder as
 * sentence-transformers keeps it: `config.json`, `tokenizer.json`, safetensors of float32, float16 or bfloat16, and `modules.json` with the pooling.
 *
 * The sequence limit is `max_seq_length` of the folder's `sentence_bert_config.json` where there is one, whatever truncation or padding
 * `tokenizer.json` carries; longer texts are cut. Without `modules.json` vectors are means, divided by their norm.
 *
 * Texts go through the model sorted by length and packed in groups of 512 tokens without padding, on all threads
 * ({@link setThreads}). The same texts give the same bytes, for any number of threads. Memory: the weights, in the type of
 * their file, and some 15 MB a thread. A model holds memory that the garbage collector is told of; {@link TextEmbedder.dispose} gives it back at once.
 * @example
 * import { models, vectors } from 'tamis'
 * const embedder = await models.TextEmbedder.load('all-MiniLM-L6-v2')
 * const embeddings = await embedder.embed(['A man is eating food.', 'Jemand isst.'])
 * console.log(embeddings.dims) // [2, 384]
 */
export class TextEmbedder {
  /** Numbers of a vector. */
  readonly dimensions: number
  /** The most tokens of a text that are used. */
  readonly maxTokens: number
  /** What of a text's states makes its vector. */
  readonly pooling: 'mean' | 'cls'
  /** Whether vectors are divided by their norm. */
  readonly normalize: boolean
  readonly #native: NativeTextEmbedder

  private constructor(model: NativeTextEmbedder) {
    model.weigh()
    this.#native = model
    this.dimensions = model.width()
    this.maxTokens = model.mostTokens()
    this.pooling = model.pooling() as 'mean' | 'cls'
    this.normalize = model.normalize()
  }

  /**
   * Loads a model from a folder, or by its name on the hub (`ORG/NAME`) as {@link fetchModel} fetches it; a folder that is there is meant before a name. O(bytes), off
   * the event loop.
   * @throws TamisError `ERR_TAMIS_IO` where a file cannot be read or fetched; `ERR_TAMIS_FORMAT` with the file and the member or tensor: an architecture, an
   * activation, a pooling or a type of weights that is not read, and what is missing or damaged; `maxTokens must be`
   */
  static async load(folder: string, options?: TextEmbedderOptions): Promise<TextEmbedder> {
    const known = ['signal', 'pooling', 'normalize', 'maxTokens', ...SOURCE_OPTIONS] as const
    const o = checkOptions('options', options, known)
    const settings = embedderSettings(o)
    const path = await resolveModel('folder', folder, o)
    const open = (job: Parameters<typeof native.openTextEmbedder>[2]) =>
      native.openTextEmbedder(path, settings, job)
    return new TextEmbedder(await callModel({ signal: o.signal }, 1, open))
  }

  /**
   * The vectors of texts, `[texts, dimensions]`, off the event loop. An empty text has the vector of the marks of begin and end. O(tokens), about 20 million
   * multiply-adds a token for a model of six layers of 384.
   * @throws TamisError `texts must be an array of strings`
   */
  async embed(texts: readonly string[], options?: ModelCallOptions): Promise<Tensor<'float32'>> {
    const o = checkOptions('options', options, CALL_OPTIONS)
    const packed = packTexts('texts', texts)
    const data = await callModel(o, texts.length, (job) => this.#native.embed(packed, job))
    return { type: 'float32', dims: [texts.length, this.dimensions], data }
  }

  /**
   * The tokens that {@link TextEmbedder.embed} makes of texts, those that mark begin and end included, cut to {@link TextEmbedder.maxTokens}.
   * @throws TamisError `texts must be an array of strings`
   */
  async encode(texts: readonly string[], options?: ModelCallOptions): Promise<Uint32Array[]> {
    const o = checkCallOptions(options)
    const packed = packTexts('texts', texts)
    const { tokens, lengths } = await callModel(o, texts.length, (job) => this.#native.encode(packed, job))
    return listsOf(tokens, lengths)
  }

  /** Gives the model's memory back, once no call uses it; calls after that are refused. */
  dispose(): void {
    this.#native.dispose()
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** Checks what rules over the model's files. @hidden */
export function embedderSettings(
  o: Pick<TextEmbedderOptions, 'pooling' | 'normalize' | 'maxTokens'>,
): NativeEmbedderOptions {
  return {
    ...(o.pooling !== undefined && { pooling: checkOneOf('pooling', o.pooling, ['mean', 'cls']) }),
    ...(o.normalize !== undefined && { normalize: checkBoolean('normalize', o.normalize, true) }),
    ...(o.maxTokens !== undefined && { maxTokens: checkInteger('maxTokens', o.maxTokens, 3, 1e6) }),
  }
}
