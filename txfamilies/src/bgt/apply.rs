//! The rules. The platform that bgt comes from let anybody move anybody's balance; here the owner must sign.

use ledger_types::family::{ApplyError, Context, FamilyDescription, TransactionFamily};
use ledger_types::proto::families::BgtTokenInfo;
use ledger_types::{Address, Transaction};

use super::address::{NAMESPACE, address};
use super::payload::{Payload, Verb};
use super::wallets::{Wallets, decode_wallets, encode};
use crate::named_value::{absent, decreased, increased};

/// What clients of the platform that bgt comes from expect in `group_code`.
const GROUP_CODE: &str = "BGT_token";

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Bgt;

impl TransactionFamily for Bgt {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription {
            names: &["bgt"],
            version: "1.0",
            namespaces: &[NAMESPACE],
            commands: &["set", "inc", "dec", "trans"],
        }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let payload = Payload::decode(&transaction.payload)?;
        let signer = &transaction.header.signer_public_key;
        match &payload.verb {
            Verb::Set => open(context, &payload, signer),
            Verb::Inc => change(context, &payload.name, "inc", Some(signer), |balance| {
                increased("inc", balance, payload.value)
            }),
            Verb::Dec => change(context, &payload.name, "dec", Some(signer), |balance| {
                decreased("dec", balance, payload.value)
            }),
            // One wallet after the other, each read anew: a transfer to oneself and two names at one address are
            // no special cases.
            Verb::Trans { to } => {
                change(context, &payload.name, "trans", Some(signer), |balance| {
                    decreased("trans", balance, payload.value)
                })?;
                change(context, to, "trans", None, |balance| increased("trans", balance, payload.value))
            }
        }
    }
}

fn open(context: &mut dyn Context, payload: &Payload, signer: &str) -> Result<(), ApplyError> {
    let (name, address) = (&payload.name, address(&payload.name));
    let mut wallets = load(context, &address)?;
    if let Some(wallet) = wallets.get(name) {
        return Err(ApplyError::invalid(format!(
            "Verb is \"set\", but already exists: Name: {name}, Value {}",
            wallet.decimals
        )));
    }
    let wallet = BgtTokenInfo {
        group_code: GROUP_CODE.to_owned(),
        owner_key: signer.to_owned(),
        sign: String::new(),
        decimals: payload.value,
    };
    wallets.insert(name.clone(), wallet);
    context.set(address, encode(&wallets))?;
    Ok(())
}

/// Changes the balance of a wallet that must exist and, if `owner` is given, belong to it.
fn change(
    context: &mut dyn Context,
    name: &str,
    verb: &str,
    owner: Option<&str>,
    next: impl FnOnce(u32) -> Result<u32, ApplyError>,
) -> Result<(), ApplyError> {
    let address = address(name);
    let mut wallets = load(context, &address)?;
    let wallet = wallets.get_mut(name).ok_or_else(|| absent(verb, name))?;
    if owner.is_some_and(|owner| owner != wallet.owner_key) {
        return Err(ApplyError::invalid(format!(
            "Verb is \"{verb}\" but the signer does not own \"{name}\""
        )));
    }
    wallet.decimals = next(wallet.decimals)?;
    context.set(address, encode(&wallets))?;
    Ok(())
}

fn load(context: &mut dyn Context, address: &Address) -> Result<Wallets, ApplyError> {
    context.get(address)?.map_or_else(|| Ok(Wallets::new()), |bytes| decode_wallets(&bytes))
}
