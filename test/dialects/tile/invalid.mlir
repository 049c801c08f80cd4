// What the verifiers refuse, and what they say.

// RUN: mezzo-opt %s -split-input-file -verify-diagnostics

func.func @field_beyond_the_byte(%v: vector<32xi8>) -> vector<32xi8> {
  // expected-error @below {{'tile.field' op moves 4 bits from bit 5 to bit 0, but a byte has bits 0..7}}
  %0 = tile.field %v shift = 5 width = 4 to = 0 : vector<32xi8>
  return %0 : vector<32xi8>
}

// -----

func.func @field_to_beyond_the_byte(%v: vector<32xi8>) -> vector<32xi8> {
  // expected-error @below {{'tile.field' op moves 2 bits from bit 0 to bit 7, but a byte has bits 0..7}}
  %0 = tile.field %v shift = 0 width = 2 to = 7 : vector<32xi8>
  return %0 : vector<32xi8>
}

// -----

func.func @field_of_nothing(%v: vector<32xi8>) -> vector<32xi8> {
  // expected-error @below {{'tile.field' op moves 0 bits from bit 0 to bit 0, but a byte has bits 0..7}}
  %0 = tile.field %v shift = 0 width = 0 to = 0 : vector<32xi8>
  return %0 : vector<32xi8>
}

// -----

func.func @dot_of_other_length(%acc: vector<4xi32>, %v: vector<32xi8>) -> vector<4xi32> {
  // expected-error @below {{'tile.dot' op adds 32 products to 4 lanes: 4 products a lane are needed}}
  %0 = tile.dot %acc, %v in [0, 15], %v amax = 127 : vector<32xi8> -> vector<4xi32>
  return %0 : vector<4xi32>
}

// -----

func.func @dot_of_large_u(%acc: vector<8xi32>, %v: vector<32xi8>) -> vector<8xi32> {
  // expected-error @below {{'tile.dot' op declares codes in [0, 256] and |activations| <= 127, but bytes hold 0..255 or -128..127}}
  %0 = tile.dot %acc, %v in [0, 256], %v amax = 127 : vector<32xi8> -> vector<8xi32>
  return %0 : vector<8xi32>
}

// -----

func.func @dot_of_large_s(%acc: vector<8xi32>, %v: vector<32xi8>) -> vector<8xi32> {
  // expected-error @below {{'tile.dot' op declares codes in [0, 255] and |activations| <= 129, but bytes hold 0..255 or -128..127}}
  %0 = tile.dot %acc, %v in [0, 255], %v amax = 129 : vector<32xi8> -> vector<8xi32>
  return %0 : vector<8xi32>
}

// -----

func.func @dot_of_no_byte(%acc: vector<8xi32>, %v: vector<32xi8>) -> vector<8xi32> {
  // expected-error @below {{'tile.dot' op declares codes in [-1, 128] and |activations| <= 127, but bytes hold 0..255 or -128..127}}
  %0 = tile.dot %acc, %v in [-1, 128], %v amax = 127 : vector<32xi8> -> vector<8xi32>
  return %0 : vector<8xi32>
}

// -----

func.func @pairs_beyond_16_bits(%acc: vector<16xi16>, %v: vector<32xi8>) -> vector<16xi16> {
  // expected-error @below {{'tile.dot_pairs' op adds two products of up to 32385, which 16 bits do not hold: use `tile.dot`}}
  %0 = tile.dot_pairs %acc, %v in [0, 255], %v amax = 127 : vector<32xi8> -> vector<16xi16>
  return %0 : vector<16xi16>
}

// -----

func.func @pairs_of_other_length(%acc: vector<8xi16>, %v: vector<32xi8>) -> vector<8xi16> {
  // expected-error @below {{'tile.dot_pairs' op adds 32 products to 8 lanes: 2 products a lane are needed}}
  %0 = tile.dot_pairs %acc, %v in [0, 15], %v amax = 127 : vector<32xi8> -> vector<8xi16>
  return %0 : vector<8xi16>
}

// -----

func.func @words_of_other_length(%acc: vector<4xi32>, %w: vector<16xi16>) -> vector<4xi32> {
  // expected-error @below {{'tile.add_pairs' op adds 16 words to 4 lanes: two words a lane are needed}}
  %0 = tile.add_pairs %acc, %w : vector<16xi16> -> vector<4xi32>
  return %0 : vector<4xi32>
}

// -----

func.func @broadcast_of_odd_length(%m: memref<?xi8>, %i: index) -> vector<30xi8> {
  // expected-error @below {{'tile.broadcast_group' op repeats four bytes over 30: a multiple of four is needed}}
  %0 = tile.broadcast_group %m[%i] : memref<?xi8> -> vector<30xi8>
  return %0 : vector<30xi8>
}

// -----

func.func @broadcast_with_too_few_indices(%m: memref<?x?xi8>, %i: index) -> vector<32xi8> {
  // expected-error @below {{'tile.broadcast_group' op has 1 indices into a memref of rank 2}}
  %0 = tile.broadcast_group %m[%i] : memref<?x?xi8> -> vector<32xi8>
  return %0 : vector<32xi8>
}

// -----

func.func @lookup_in_a_short_table(%t: vector<8xi8>, %i: vector<32xi8>) -> vector<32xi8> {
  // expected-error @below {{'tile.lookup' op operand #0 must be vector of 8-bit signless integer values of length 16}}
  %0 = tile.lookup %t[%i] : vector<8xi8>, vector<32xi8>
  return %0 : vector<32xi8>
}
