//! SCTBench account: a checker that knows the wrong sum, and looks once both the deposit and the withdrawal are done.

use super::super::rt::{self, Lock, Shared, Twin};

#[derive(Clone)]
struct Account {
    lock: Lock,
    balance: Shared<i32>,
    deposited: Shared<bool>,
    withdrawn: Shared<bool>,
}

const START: i32 = 1;
const DEPOSIT: i32 = 2;
const WITHDRAWAL: i32 = 4;

async fn checks(account: Account, sum: i32) {
    let _guard = account.lock.lock().await;
    if account.deposited.get().await && account.withdrawn.get().await {
        rt::check(account.balance.get().await == sum, "the balance is what was there, and the difference");
    }
}

async fn moves(account: Account, amount: i32, done: Shared<bool>) {
    let _guard = account.lock.lock().await;
    let balance = account.balance.get().await;
    account.balance.set(balance + amount).await;
    done.set(true).await;
}

/// Mended, the checker adds the deposit instead of taking it away.
pub async fn account(twin: Twin) {
    let account = Account {
        lock: Lock::new(),
        balance: Shared::new("balance", START),
        deposited: Shared::new("deposited", false),
        withdrawn: Shared::new("withdrawn", false),
    };
    let deposit = if rt::is_buggy(twin) { -DEPOSIT } else { DEPOSIT };
    let (deposited, withdrawn) = (account.deposited.clone(), account.withdrawn.clone());
    let handles = vec![
        rt::spawn("checks", checks(account.clone(), START + deposit - WITHDRAWAL)).await,
        rt::spawn("deposits", moves(account.clone(), DEPOSIT, deposited)).await,
        rt::spawn("withdraws", moves(account, -WITHDRAWAL, withdrawn)).await,
    ];
    rt::join_all(handles).await;
}
