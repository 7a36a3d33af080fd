//! Acre's kernels and the peers, each as a closure that encodes or decodes a stripe.

use acre_erasure::{Codec, Kernel};
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};
use rustfs_erasure_codec::galois_8::ReedSolomon as Rustfs;

use crate::isal::Isal;
use crate::meter::Runner;
use crate::stripe::{Layout, Stripe};

/// What is raced.
#[derive(Clone)]
pub struct Task {
    pub data: usize,
    pub parity: usize,
    /// Bytes per shard.
    pub cell: usize,
    /// Data shards lost, to be decoded; empty to encode.
    pub lost: Vec<usize>,
}

impl Task {
    /// The survivors a decoder reads: the other data shards, then parity.
    pub fn given(&self) -> Vec<usize> {
        let all = 0..self.data + self.parity;
        all.filter(|index| !self.lost.contains(index)).take(self.data).collect()
    }

    /// Inputs and outputs of a task in the cells of a stripe that has `parity` spare cells at its end.
    fn split<'a>(&self, cells: Vec<&'a mut [u8]>) -> (Vec<&'a [u8]>, Vec<&'a mut [u8]>) {
        let (inputs, outputs): (Vec<usize>, Vec<usize>) = if self.lost.is_empty() {
            ((0..self.data).collect(), (self.data..self.data + self.parity).collect())
        } else {
            (self.given(), self.lost.clone())
        };
        let mut cells: Vec<Option<&mut [u8]>> = cells.into_iter().map(Some).collect();
        let mut take = |index: usize| cells[index].take().expect("indices are distinct");
        let inputs = inputs.into_iter().map(|index| &*take(index)).collect();
        (inputs, outputs.into_iter().map(take).collect())
    }

    /// Memory for the task.
    pub fn stripe(&self, layout: Layout) -> Stripe {
        Stripe::new(self.data + self.parity, self.cell, layout)
    }
}

fn runner(name: impl Into<String>, work: impl FnMut(&mut Stripe) + 'static) -> Runner {
    Runner { name: name.into(), work: Box::new(work), best: f64::INFINITY }
}

/// Acre on one kernel.
pub fn acre(task: &Task, kernel: Kernel) -> Runner {
    let codec = Codec::with_kernel(task.data, task.parity, kernel).expect("a valid code");
    let (given, wanted) = if task.lost.is_empty() {
        ((0..task.data).collect(), (task.data..task.data + task.parity).collect())
    } else {
        (task.given(), task.lost.clone())
    };
    let plan = codec.plan(&given, &wanted).expect("valid losses");
    let task = task.clone();
    runner(format!("acre {kernel}"), move |stripe| {
        let (inputs, mut outputs) = task.split(stripe.cells());
        plan.run(&inputs, &mut outputs).expect("cells are equal");
    })
}

/// ISA-L.
pub fn isal(task: &Task) -> Runner {
    let code = if task.lost.is_empty() {
        Isal::encoder(task.data, task.parity)
    } else {
        Isal::decoder(task.data, task.parity, &task.given(), &task.lost)
    };
    let task = task.clone();
    runner("ISA-L 2.31", move |stripe| {
        let (inputs, mut outputs) = task.split(stripe.cells());
        code.run(&inputs, &mut outputs);
    })
}

/// `rustfs-erasure-codec`, its own choice of back end.
pub fn rustfs(task: &Task) -> Runner {
    let code = Rustfs::new(task.data, task.parity).expect("a valid code");
    let task = task.clone();
    runner("rustfs-erasure-codec 9", move |stripe| {
        if task.lost.is_empty() {
            let (inputs, mut outputs) = task.split(stripe.cells());
            code.encode_sep_opt(&inputs, &mut outputs).expect("cells are equal");
        } else {
            let cells = stripe.cells().into_iter().enumerate();
            let mut shards: Vec<(&mut [u8], bool)> =
                cells.map(|(index, cell)| (cell, !task.lost.contains(&index))).collect();
            code.reconstruct_data(&mut shards).expect("four may be lost");
        }
    })
}

/// A cell with a mark whether it is there, in the form `fec-rs` wants.
struct Slot<'a>(&'a mut [u8], bool);

// SAFETY: each slot holds its own exclusive slice.
unsafe impl fec_rs::ReconstructShard for Slot<'_> {
    fn len(&self) -> Option<usize> {
        self.1.then_some(self.0.len())
    }
    fn get(&self) -> Option<&[u8]> {
        self.1.then_some(&*self.0)
    }
    fn get_mut(&mut self) -> Option<&mut [u8]> {
        if self.1 { Some(self.0) } else { None }
    }
    fn initialize(&mut self, _: usize) {
        self.1 = true;
    }
}

/// `fec-rs`.
pub fn fec(task: &Task) -> Runner {
    let code = fec_rs::ReedSolomon::new(task.data, task.parity).expect("a valid code");
    let task = task.clone();
    runner("fec-rs 0.1", move |stripe| {
        if task.lost.is_empty() {
            let (inputs, mut outputs) = task.split(stripe.cells());
            code.encode_sep(&inputs, &mut outputs).expect("cells are equal");
        } else {
            let cells = stripe.cells().into_iter().enumerate();
            let mut shards: Vec<Slot> =
                cells.map(|(index, cell)| Slot(cell, !task.lost.contains(&index))).collect();
            code.reconstruct_data(&mut shards).expect("four may be lost");
        }
    })
}

/// `reed-solomon-simd` (Leopard).
pub fn leopard(task: &Task) -> Runner {
    let task = task.clone();
    let name = "reed-solomon-simd 3.1";
    let (data, parity) = (task.data, task.parity);
    if task.lost.is_empty() {
        let mut code = ReedSolomonEncoder::new(data, parity, task.cell).expect("a valid code");
        return runner(name, move |stripe| {
            for cell in stripe.cells().iter().take(data) {
                code.add_original_shard(cell).expect("cells are equal");
            }
            std::hint::black_box(code.encode().expect("all shards are there").recovery(0));
        });
    }
    let mut code = ReedSolomonDecoder::new(data, parity, task.cell).expect("a valid code");
    runner(name, move |stripe| {
        let cells = stripe.cells();
        for index in task.given() {
            if index < data {
                code.add_original_shard(index, &cells[index]).expect("cells are equal");
            } else {
                code.add_recovery_shard(index - data, &cells[index]).expect("cells are equal");
            }
        }
        let decoded = code.decode().expect("four may be lost");
        std::hint::black_box(decoded.restored_original(task.lost[0]));
    })
}
